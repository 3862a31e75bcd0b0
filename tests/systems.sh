#!/usr/bin/env bash
# For whoever changes the build: both of the README's commands in a fresh system, and the packages in another one. As root, with debootstrap:
#     tests/systems.sh bookworm|trixie|noble|resolute MIRROR      (the address of that system's archive)
# The systems lie in build/systems; the first is kept, with what it compiled, and takes up what is committed here since.
set -euo pipefail
suite=${1:?which system: bookworm, trixie, noble, resolute}
mirror=${2:?the address of an archive of it}
case $suite in
noble | resolute) components=main,universe script=gutsy ;;
*) components=main script=sid ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
place=$here/build/systems
mkdir -p "$place"

make() { # a system, with terminals and processes
    [ -e "$1/made" ] || { debootstrap --variant=minbase --components=$components "$suite" "$1" "$mirror" "/usr/share/debootstrap/scripts/$script" && touch "$1/made"; }
    cp /etc/resolv.conf "$1/etc/"
    mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
    mountpoint -q "$1/dev/pts" || mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
}
leave() {
    for mount in "$place/$suite"*/{proc,dev/pts}; do ! mountpoint -q "$mount" || umount "$mount"; done
}
trap leave EXIT
in_system() { # name, commands
    chroot "$place/$1" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive bash -ec "$2"
}

make "$place/$suite"
if [ -e "$place/$suite/klp" ]; then
    git -C "$place/$suite/klp" pull -q "$here" HEAD
else
    git clone -q "$here" "$place/$suite/klp"
fi
in_system "$suite" 'cd /klp; time ./run chat -p "Hello, who are you?"; time ./check; cd build/release; rm -f ./*.deb; apt-get install -y -qq file >/dev/null; cpack'

rm -rf --one-file-system "$place/$suite-bare"
make "$place/$suite-bare"
cp "$place/$suite"/klp/build/release/*.deb "$place/$suite-bare/root/"
in_system "$suite-bare" '
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends /root/*.deb >/dev/null
    cd /
    klp -p "Hello, who are you?"
    klp doctor >/dev/null
    QT_QPA_PLATFORM=offscreen klp-gui --version
    rc=0
    QT_QPA_PLATFORM=offscreen timeout 5 klp-gui || rc=$?
    [ $rc -eq 124 ] # it was still there
    apt-get purge -y -qq klp klp-gui >/dev/null
    left=$(find /etc /usr -path "*klp*")
    [ -z "$left" ] || { echo "left behind: $left"; exit 1; }'
leave
rm -rf --one-file-system "$place/$suite-bare"
echo "$suite: both commands and both packages are well"
