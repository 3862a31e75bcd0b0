// klp logits and klp tokenize: what goes into the model and what comes out, as numbers.
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/progress.h"
#include "app/session.h"
#include "core/model/sequence.h"
#include "kernels/cpu/sample.h"

namespace klp {

namespace {

using Json = nlohmann::ordered_json;

// NumPy's format 1.0: magic, length of the header, a Python literal padded with blanks to a multiple of 64, the data. Little-endian as this machine is.
void npy_header(std::ostream& out, int64_t rows, int64_t columns) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " + std::to_string(columns) + "), }";
    header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
    header += '\n';
    const auto length = static_cast<uint16_t>(header.size());
    out.write("\x93NUMPY\x01\x00", 8);
    out.write(reinterpret_cast<const char*>(&length), 2);
    out << header;
}

}  // namespace

int logits_command(const LogitsOptions& options, Terminal& terminal) {
    auto engine = open_engine(options.engine, terminal);
    if (!engine) return report(engine.error());
    const Tokenizer* tokenizer = engine->checkpoint.tokenizer.get();
    std::vector<int32_t> tokens = options.tokens;
    if (options.prompt) {
        auto needed = need_tokenizer(engine->checkpoint);
        if (!needed) return report(needed.error());
        tokens = tokenizer->encode(*options.prompt);
    }
    if (tokens.empty()) return report({Error::usage, "there are no tokens: give --tokens 1,2,3 or -p TEXT"});

    Sequence sequence(engine->model);
    Workspace ws(*engine->backend);
    const auto T = static_cast<int64_t>(tokens.size());
    const auto vocabulary = static_cast<size_t>(engine->config().vocab_size);
    if (T > sequence.context()) return report({Error::failure, "the prompt has " + grouped(T) + " tokens and the context " + grouped(sequence.context())});
    for (int32_t id : tokens) {
        if (id < 0 || static_cast<size_t>(id) >= vocabulary) {
            return report({Error::failure, "token " + std::to_string(id) + " is outside the vocabulary of " + grouped(engine->config().vocab_size)});
        }
    }
    const auto hands = read_hands(options.intervene);
    if (!hands) return report(hands.error());
    if (auto laid = sequence.touch(*hands); !laid) return report({laid.error().kind, options.intervene + ": " + laid.error().message});
    std::optional<NewFile> file;
    if (!options.out.empty()) {
        auto made = NewFile::create(options.out, T * engine->config().vocab_size * static_cast<int64_t>(sizeof(float)));
        if (!made) return report(made.error());
        npy_header(file.emplace(std::move(*made)).out(), T, engine->config().vocab_size);
    }
    const int64_t chunk = options.step ? 1 : options.chunk > 0 ? options.chunk : kPrefillChunk;
    std::vector<float> last;
    std::optional<Progress> progress(std::in_place, terminal, "reading", "token");
    for (int64_t at = 0, count = 0; at < T; at += count) {
        if (g_interrupted) return report({Error::interrupted, "interrupted after " + grouped(at) + " of " + grouped(T) + " tokens"});
        progress->at(at, T);
        count = std::min({chunk, T - at, sequence.pass_room()});
        const Feed feed{&sequence, std::span<const int32_t>(tokens).subspan(size_t(at), size_t(count))};
        engine->model->forward({&feed, 1}, ws, /*all_rows=*/true);
        if (auto numbers = check_logits(ws.logits, engine->config().vocab_size, at + 1); !numbers) return report(numbers.error());
        if (file) {
            file->out().write(reinterpret_cast<const char*>(ws.logits.data()), static_cast<std::streamsize>(ws.logits.size() * sizeof(float)));
            if (auto written = file->sound(); !written) return report(written.error());
        }
        last.assign(ws.logits.end() - static_cast<int64_t>(vocabulary), ws.logits.end());
    }
    progress.reset();
    if (file) {
        if (auto written = file->keep(); !written) return report(written.error());
    }

    Pick none;
    std::vector<Candidate> best(5);
    look(last, none, best);
    std::erase_if(best, [](const Candidate& c) { return c.id < 0; });
    if (options.json) {
        Json rows = Json::array();
        for (const Candidate& c : best) {
            Json row{{"id", c.id}, {"logit", last[size_t(c.id)]}, {"probability", c.probability}};
            if (tokenizer) row["text"] = std::string(tokenizer->bytes(c.id));
            rows.push_back(row);
        }
        Json out{{"tokens", T}, {"vocab_size", vocabulary}, {"file", options.out.empty() ? Json() : Json(options.out)}, {"last", rows}};
        put(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    } else if (!file) {
        Table table({"id", "logit", "probability", "text"});
        for (const Candidate& c : best) {
            table.add({std::to_string(c.id), fixed(last[size_t(c.id)], 4), fixed(c.probability, 4),
                       tokenizer ? Json(repair_utf8(tokenizer->bytes(c.id))).dump() : ""});
        }
        put("after " + plural(T, "token") + ":\n" + table.text());
    }
    return 0;
}

int tokenize_command(const TokenizeOptions& options, Terminal& terminal) {
    auto checkpoint = open_folder(options.model);
    if (!checkpoint) return report(checkpoint.error());
    auto needed = need_tokenizer(*checkpoint);
    if (!needed) return report(needed.error());
    const Tokenizer& tokenizer = **needed;
    const Result<std::string> said = options.text ? *options.text : read_stdin();
    if (!said) return report(said.error());
    const std::string& text = *said;

    if (options.decode) {
        std::vector<int32_t> ids;
        for (size_t at = 0; (at = text.find_first_not_of(" ,\t\r\n", at)) != std::string::npos;) {
            const size_t end = std::min(text.find_first_of(" ,\t\r\n", at), text.size());
            const std::string word = text.substr(at, end - at);
            char* stop = nullptr;
            const long long id = std::strtoll(word.c_str(), &stop, 10);
            if (*stop || id < 0 || id >= tokenizer.vocab_size()) {
                return report(
                    {Error::failure, "'" + one_line(word) + "' is not an id of this vocabulary (0 to " + std::to_string(tokenizer.vocab_size() - 1) + ")"});
            }
            ids.push_back(static_cast<int32_t>(id));
            at = end;
        }
        const std::string out = tokenizer.decode(ids, options.special);
        put(options.json ? Json{{"text", out}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n" : (terminal.output ? harmless(out) : out) + "\n");
        return 0;
    }
    const std::vector<int32_t> ids = tokenizer.encode(text, options.special);
    std::string line;
    Json pieces = Json::array();
    for (int32_t id : ids) {
        line += (line.empty() ? "" : " ") + std::to_string(id);
        pieces.push_back({{"id", id}, {"text", std::string(tokenizer.bytes(id))}});
    }
    put(options.json ? Json{{"count", ids.size()}, {"tokens", pieces}}.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n" : line + "\n");
    return 0;
}

}  // namespace klp
