#!/usr/bin/env python3
"""Every file includes the standard headers that it uses, itself or by headers of ours: never by what a standard library happens to include, which differs by version.

    tests/includes.py          lists what is missing; a name of std:: that no row below has is said too
    tests/includes.py --fix    puts it there (then clang-format -i sorts it)
"""
import functools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROOMS = ["app", "bench", "core", "kernels", "tests"]

# Headers that give a name, the one to add first; then the names.
TABLE = """
algorithm: adjacent_find all_of any_of binary_search clamp copy copy_backward copy_if copy_n count count_if equal equal_range fill fill_n find find_end
algorithm: find_first_of find_if find_if_not for_each for_each_n generate generate_n includes inplace_merge is_heap is_partitioned is_permutation is_sorted
algorithm: iter_swap lexicographical_compare lower_bound make_heap max max_element merge min min_element minmax minmax_element mismatch move_backward
algorithm: next_permutation none_of nth_element partial_sort partial_sort_copy partition partition_point pop_heap prev_permutation push_heap ranges remove_copy
algorithm: remove_copy_if remove_if replace replace_copy replace_if reverse reverse_copy rotate rotate_copy sample search search_n set_difference
algorithm: set_intersection set_union shuffle sort sort_heap stable_partition stable_sort swap_ranges transform unique unique_copy upper_bound
algorithm|cstdio: remove
any: any any_cast make_any
array: array to_array
atomic: atomic atomic_bool atomic_flag atomic_int atomic_ref atomic_thread_fence memory_order memory_order_acq_rel memory_order_acquire memory_order_consume
atomic: memory_order_relaxed memory_order_release memory_order_seq_cst
barrier: barrier
bit: bit_cast bit_ceil bit_floor bit_width countl_one countl_zero countr_one countr_zero endian has_single_bit popcount rotl rotr
bitset: bitset
cctype: isalnum isalpha iscntrl isdigit isgraph islower isprint ispunct isspace isupper isxdigit tolower toupper
charconv: chars_format from_chars from_chars_result to_chars to_chars_result
chrono: chrono
clocale: localeconv setlocale
cmath: acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim floor fma fmax fmin fmod fpclassify frexp hypot
cmath: isfinite isinf isnan isnormal ldexp lerp lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter pow remainder rint
cmath: round scalbn signbit sin sinh sqrt tan tanh tgamma trunc
cmath|cstdlib: abs
compare: partial_ordering strong_ordering weak_ordering
complex: complex
condition_variable: condition_variable condition_variable_any cv_status
csignal: raise signal
cstdarg: va_list
cstddef: byte max_align_t nullptr_t ptrdiff_t
cstddef|cstdlib|cstring|cstdio: size_t
cstdint: int16_t int32_t int64_t int8_t intmax_t intptr_t uint16_t uint32_t uint64_t uint8_t uintmax_t uintptr_t
cstdio: FILE fclose feof ferror fflush fgetc fgets fopen fprintf fputc fputs fread freopen fscanf fseek ftell fwrite getchar perror printf putchar puts rename
cstdio: rewind scanf setvbuf snprintf sprintf sscanf tmpfile ungetc vfprintf vprintf vsnprintf
cstdlib: _Exit abort aligned_alloc atexit atof atoi atol atoll calloc div exit free getenv labs llabs malloc qsort quick_exit rand realloc srand strtod strtof
cstdlib: strtol strtoll strtoul strtoull system
cstring: memchr memcmp memcpy memmove memset strcat strchr strcmp strcpy strerror strlen strncmp strncpy strrchr strspn strstr strtok
ctime: asctime clock clock_t ctime difftime gmtime localtime mktime strftime time time_t timespec tm
deque: deque
exception|stdexcept: exception
exception: current_exception exception_ptr rethrow_exception set_terminate terminate uncaught_exceptions
filesystem: filesystem
format: format
fstream: filebuf fstream ifstream ofstream
functional: bind bit_and bit_or cref divides equal_to function greater greater_equal hash invoke less less_equal logical_not mem_fn minus modulus multiplies
functional: negate not_fn plus ref reference_wrapper
future: async future launch packaged_task promise
initializer_list: initializer_list
iomanip: get_time put_time quoted setfill setprecision setw
ios|fstream|iostream|istream|ostream|sstream: ios ios_base streamoff streampos streamsize
ios|iomanip|iostream|ostream|sstream: boolalpha dec defaultfloat fixed hex scientific showpos
iostream: cerr cin clog cout
istream|iostream|fstream|sstream: istream ws
iterator|array|deque|map|regex|set|span|string|string_view|unordered_map|unordered_set|vector: begin cbegin cend data empty end rbegin rend size ssize
iterator: advance back_insert_iterator back_inserter bidirectional_iterator_tag distance forward_iterator_tag front_inserter input_iterator_tag inserter
iterator: istream_iterator istreambuf_iterator iterator_traits make_move_iterator make_reverse_iterator move_iterator next ostream_iterator ostreambuf_iterator
iterator: prev random_access_iterator_tag reverse_iterator
latch: latch
limits: numeric_limits
list: list
locale: locale
map: map multimap
memory: addressof align allocate_shared allocator allocator_traits assume_aligned construct_at const_pointer_cast default_delete destroy destroy_at
memory: dynamic_pointer_cast enable_shared_from_this make_shared make_unique make_unique_for_overwrite owner_less pointer_traits reinterpret_pointer_cast
memory: shared_ptr static_pointer_cast to_address uninitialized_copy uninitialized_default_construct uninitialized_fill unique_ptr weak_ptr
mutex: adopt_lock call_once defer_lock lock lock_guard mutex once_flag recursive_mutex scoped_lock timed_mutex try_to_lock unique_lock
new: align_val_t bad_alloc bad_array_new_length hardware_constructive_interference_size hardware_destructive_interference_size launder nothrow nothrow_t
numbers: numbers
numeric: accumulate adjacent_difference exclusive_scan gcd inclusive_scan inner_product iota lcm midpoint partial_sum reduce transform_reduce
optional: bad_optional_access make_optional nullopt nullopt_t optional
ostream|iostream|sstream|fstream|iosfwd: ostream
ostream|iostream|sstream|fstream: endl ends flush
queue: priority_queue queue
random: bernoulli_distribution discrete_distribution exponential_distribution mt19937 mt19937_64 normal_distribution random_device seed_seq
random: uniform_int_distribution uniform_real_distribution
ratio: kilo micro milli nano ratio
regex: cmatch cregex_iterator regex regex_error regex_match regex_replace regex_search smatch sregex_iterator sregex_token_iterator
semaphore: binary_semaphore counting_semaphore
set: multiset set
shared_mutex: shared_lock shared_mutex
source_location: source_location
span: as_bytes as_writable_bytes dynamic_extent span
sstream: istringstream ostringstream stringbuf stringstream
stack: stack
stdexcept: domain_error invalid_argument length_error logic_error out_of_range overflow_error range_error runtime_error underflow_error
stop_token: stop_callback stop_source stop_token
streambuf: streambuf
string: basic_string char_traits getline stod stof stoi stol stoll stoul stoull string to_string u16string u32string u8string wstring
string_view: basic_string_view string_view u32string_view u8string_view
system_error: errc error_category error_code error_condition generic_category make_error_code system_category system_error
thread: jthread this_thread thread
tuple: apply forward_as_tuple ignore make_from_tuple make_tuple tie tuple tuple_cat
tuple|utility|array|variant: get tuple_element tuple_element_t tuple_size tuple_size_v
type_traits: add_const_t add_pointer_t alignment_of_v bool_constant common_type_t conditional conditional_t conjunction_v decay decay_t disjunction_v enable_if
type_traits: enable_if_t false_type integral_constant invoke_result invoke_result_t is_arithmetic_v is_base_of_v is_class_v is_const_v is_constant_evaluated
type_traits: is_constructible_v is_convertible_v is_copy_constructible_v is_default_constructible_v is_empty_v is_enum_v is_floating_point is_floating_point_v
type_traits: is_integral is_integral_v is_invocable_r_v is_invocable_v is_move_constructible_v is_nothrow_move_constructible_v is_pointer_v is_reference_v
type_traits: is_same is_same_v is_signed_v is_standard_layout_v is_trivially_copyable_v is_trivially_destructible_v is_unsigned_v is_void_v make_signed_t
type_traits: make_unsigned_t negation_v remove_const_t remove_cv_t remove_cvref_t remove_pointer_t remove_reference remove_reference_t true_type type_identity
type_traits: type_identity_t underlying_type_t void_t
typeinfo: bad_cast type_info
typeindex: type_index
unordered_map: unordered_map unordered_multimap
unordered_set: unordered_multiset unordered_set
utility: as_const cmp_equal cmp_greater cmp_less declval exchange forward in_place in_place_index in_place_type index_sequence index_sequence_for in_range
utility: integer_sequence make_index_sequence make_integer_sequence make_pair move_if_noexcept pair piecewise_construct swap unreachable
utility|algorithm: move
valarray: valarray
variant: bad_variant_access get_if holds_alternative in_place_index monostate variant variant_alternative variant_alternative_t variant_size variant_size_v visit
vector: vector
vector|string|deque|map|set|unordered_map|unordered_set: erase erase_if
"""
# Without std:: too.
BARE = {
    "cstdint": r"\b(?:u?int(?:8|16|32|64|ptr|max)_t|U?INT(?:8|16|32|64)_(?:MAX|MIN))\b",
    "cmath": r"\b(?:NAN|INFINITY|HUGE_VAL|M_PI|M_LN2)\b",
    "cerrno": r"\berrno\b",
    "cassert": r"\bassert\(",
    "climits": r"\b(?:INT|LONG|LLONG|UINT)_(?:MAX|MIN)\b",
    "cfloat": r"\b(?:FLT|DBL)_(?:MAX|MIN|EPSILON)\b",
}
C_NAMES = {"cstdint": "stdint.h", "cmath": "math.h", "cerrno": "errno.h", "cassert": "assert.h", "climits": "limits.h", "cfloat": "float.h"}

HEADERS = {}
for row in TABLE.strip().splitlines():
    headers, names = row.split(": ")
    for name in names.split():
        HEADERS.setdefault(name, headers.split("|"))

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(<[^>]+>|"[^"]+")', re.M)


@functools.cache
def included(path):
    """Headers by name, those of our own headers too."""
    names, todo, seen = set(), [path], set()
    while todo:
        file = todo.pop()
        if file in seen or not file.exists():
            continue
        seen.add(file)
        for name in INCLUDE.findall(file.read_text()):
            names.add(name[1:-1])
            if name[0] == '"':
                todo += [ROOT / name[1:-1], file.parent / name[1:-1]]
    return names


def missing(path):
    text = path.read_text()
    code = NOISE.sub(" ", INCLUDE.sub("", text))
    have = included(path)
    lacks, unknown = {}, set()
    for name in set(re.findall(r"(?<![\w:])(?:::)?std::(\w+)", code)) - {"experimental", "literals"}:
        if name not in HEADERS:
            unknown.add(name)
        elif not have & set(HEADERS[name]):
            lacks.setdefault(HEADERS[name][0], set()).add("std::" + name)
    for header, pattern in BARE.items():
        if not have & {header, C_NAMES[header]} and (found := re.search(pattern, code)):
            lacks.setdefault(header, set()).add(found.group())
    return lacks, unknown


def fix(path, headers):
    lines = path.read_text().split("\n")
    at = [i for i, line in enumerate(lines) if INCLUDE.match(line)]
    standard = [i for i in at if re.match(r"#include <[a-z_]+>", lines[i])]
    new = [f"#include <{h}>" for h in sorted(headers)]
    if standard:
        lines[standard[0]:standard[0]] = new
    elif own := [i for i in at if lines[i].endswith(f'/{path.stem}.h"') and path.suffix != ".h"][:1]:
        lines[own[0] + 1:own[0] + 1] = [""] + new
    elif quotes := [i for i in at if '"' in lines[i]]:
        lines[quotes[0]:quotes[0]] = new + [""]
    elif at:
        lines[at[-1] + 1:at[-1] + 1] = [""] + new
    else:
        top = next((i for i, line in enumerate(lines) if line == "#pragma once"), -1)
        if top < 0:
            top = next(i for i, line in enumerate(lines) if not line.startswith("//")) - 1
        lines[top + 1:top + 1] = [""] + new
    path.write_text("\n".join(lines))


def main():
    wrong = 0
    for room in ROOMS:
        files = [p for p in (ROOT / room).rglob("*") if p.suffix in (".h", ".cpp", ".cu")]
        for path in sorted(files, key=lambda p: (p.suffix != ".h", p)):
            lacks, unknown = missing(path)
            for name in sorted(unknown):
                print(f"{path.relative_to(ROOT)}: std::{name} is in no row of tests/includes.py")
            wrong += len(unknown)
            if lacks and "--fix" in sys.argv:
                fix(path, lacks)
                included.cache_clear()
                print(path.relative_to(ROOT))
                continue
            for header in sorted(lacks):
                print(f"{path.relative_to(ROOT)}: <{header}> for {', '.join(sorted(lacks[header]))}")
            wrong += len(lacks)
    return 1 if wrong else 0


sys.exit(main())
