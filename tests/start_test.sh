#!/usr/bin/env bash
# What .ci/build asks cmake and ninja for, and what it shows, with stand-ins for both:  tests/start_test.sh
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/bin" "$place/tree/.ci"
cp "$source/.ci/build" "$place/tree/.ci/"
# cmake keeps what it was told as a cache does; ninja has work until it is done, and draws as the real one does on a terminal.
cat >"$place/bin/cmake" <<'EOF'
#!/usr/bin/env bash
echo "cmake $*" >>"$PLACE/asked"
mkdir -p build/release
touch build/release/build.ninja
cache=build/release/CMakeCache.txt
touch $cache
while [ $# -gt 0 ]; do
    case $1 in
    -D*) name=${1#-D}; sed -i "/^${name%%=*}:/d" $cache; echo "${name%%=*}:BOOL=${name#*=}" >>$cache ;;
    -U) shift; sed -i "/^$1:/d" $cache; [ "$1" != KLP_GUI ] || echo KLP_GUI:BOOL=ON >>$cache ;;
    esac
    shift
done
EOF
cat >"$place/bin/ninja" <<'EOF'
#!/usr/bin/env bash
case " $* " in
*" -n "*) [ ! -e "$PLACE/done" ] || echo "ninja: no work to do." ;;
*)
    echo "ninja $*" >>"$PLACE/asked"
    if [ -e "$PLACE/broken" ]; then echo "FAILED: a.o"; exit 1; fi
    if [ -t 1 ]; then printf '\r[1/2] a.cpp\033[K\r[2/2] b.cpp\033[K\n'; else echo "[2/2] b.cpp"; fi
    touch "$PLACE/done"
    ;;
esac
EOF
chmod +x "$place/bin/cmake" "$place/bin/ninja"
export PLACE=$place PATH=$place/bin:$PATH
build=$place/tree/.ci/build

failures=0
expect() { # what, text, pattern
    # shellcheck disable=SC2053
    [[ $2 == "$3" || $2 == $3 ]] && return
    printf 'FAILED: %s\n  got:      %q\n  expected: %q\n' "$1" "$2" "$3"
    failures=$((failures + 1))
}
fresh() { rm -rf "$place/tree/build" "$place/asked" "$place/done" "$place/broken"; }
asked() { cat "$place/asked" 2>/dev/null || true; }

cuda='-DKLP_CUDA=OFF'
for card in /dev/nvidia[0-9]* /dev/dxg; do [ ! -e "$card" ] || cuda='-U KLP_CUDA'; done

fresh
said=$("$build" klp 2>&1 >/dev/null </dev/null)
expect "a first start says what it does" "$said" $'Configuring...\nBuilding (the first time takes a few minutes)...'
expect "it builds no tests, no window, no kernels for a GPU that is not there, and many files at once" "$(asked)" \
    "cmake --preset release -DKLP_TESTS=OFF -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=* $cuda -DKLP_GUI=OFF"$'\n'"ninja -C build/release klp"
rm "$place/asked"
expect "a second start is silent" "$("$build" klp 2>&1)" ""
expect "and asks for nothing" "$(asked)" ""

rm -f "$place/done"
"$build" klp-gui 2>/dev/null
expect "the window comes when it is asked for" "$(asked)" $'cmake --preset release -DKLP_GUI=ON\nninja -C build/release klp-gui'
rm "$place/asked" "$place/done"
"$build" 2>/dev/null
expect "the tests need everything, file by file" "$(asked)" \
    $'cmake --preset release -DKLP_TESTS=ON -DCMAKE_UNITY_BUILD=OFF -U KLP_GUI -U KLP_CUDA\nninja -C build/release'
rm "$place/asked" "$place/done"
"$build" klp 2>/dev/null
expect "after the tests a start changes nothing of that" "$(asked)" "ninja -C build/release klp"

fresh
"$build" klp 2>/dev/null
echo a card that went or came >"$place/tree/build/release/gpu"
rm "$place/asked"
"$build" klp 2>/dev/null
expect "another card, another choice" "$(asked)" "cmake --preset release $cuda"

fresh
touch "$place/broken"
code=0
said=$("$build" klp 2>&1) || code=$?
expect "a build that fails shows why" "$code $said" $'1 *FAILED: a.o'

if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    fresh
    seen=$(TERM=xterm script -qec "$build klp" /dev/null </dev/null | tr -d '\r')
    expect "on a terminal one line is written over, and nothing stays" "$seen" $'\033[KConfiguring...\033[K[1/2] a.cpp\033[K[2/2] b.cpp\033[K\n\033[A\033[K'
else
    echo "no terminal can be made here (/dev/pts): its line is not looked at"
fi

[ $failures -eq 0 ] && echo "all well" || exit 1
