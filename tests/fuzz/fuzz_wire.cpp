#include <algorithm>
#include <string>

#include "core/runs/event_fields.h"
#include "core/runs/wire.h"
#include "tests/fuzz/fuzz.h"

namespace klp::fuzz {

namespace {

const TraceShape& tiny_shape() {
    static const TraceShape shape = [] {
        for (const NamedShape& named : named_shapes())
            if (named.name == "tiny") return TraceShape(named.config);
        return TraceShape();
    }();
    return shape;
}

// What was accepted is written and read again as the same bytes.
template <class T, class Write, class Read>
void told_again(const T& what, const Write& write, const Read& read) {
    std::string first, second;
    FieldWriter out(first, tiny_shape(), true);
    write(what, out);
    FieldReader in(first, tiny_shape(), true);
    const auto again = read(in);
    KLP_CHECK(again && in.ok && in.left() == 0);
    FieldWriter to(second, tiny_shape(), true);
    write(*again, to);
    KLP_CHECK(first == second);
}

}  // namespace

// Frames in two pieces, events and commands in them; a model's card and its tokens.
void wire(std::string_view bytes) {
    WireReader reader;
    const size_t half = bytes.size() / 2;
    for (const std::string_view piece : {bytes.substr(0, half), bytes.substr(half)}) {
        reader.push(piece);
        for (;;) {
            const auto frame = reader.next();
            if (!frame) {
                one_sentence(frame.error().message);
                break;
            }
            if (!*frame) break;
            const WireFrame& f = **frame;
            KLP_CHECK(f.number >= 0 && f.fields.size() <= bytes.size());
            FieldReader in(f.fields, tiny_shape(), true);
            if (const auto event = read_event(f.kind, in)) told_again(*event, write_event, [&](FieldReader& i) { return read_event(f.kind, i); });
            FieldReader of_command(f.fields, tiny_shape(), true);
            if (const auto command = read_command(f.kind, of_command))
                told_again(*command, write_command, [&](FieldReader& i) { return read_command(f.kind, i); });
            FieldReader of_interest(f.fields, tiny_shape(), true);
            if (const auto interest = read_interest(of_interest)) told_again(*interest, write_interest, read_interest);
        }
    }
    if (const auto words = words_of_wire(bytes, "fuzz"); !words) one_sentence(words.error().message);
    if (const auto card = card_of_wire(bytes, "fuzz"); !card) one_sentence(card.error().message);
}

}  // namespace klp::fuzz

KLP_FUZZ_TARGET(wire)
