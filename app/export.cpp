// klp export: a recording taken apart into arrays and tables.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <system_error>

#include "app/commands.h"
#include "app/files.h"
#include "app/format.h"
#include "app/progress.h"
#include "core/files/crc32.h"
#include "core/runs/recording.h"

namespace klp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// One token as it was fed or made, in the order of happening; what was gone back over is there too.
struct Row {
    int64_t position = 0;
    int32_t id = 0, answer = -1;
    bool made = false;
    int32_t rank = -1;
    int64_t nanoseconds = 0;
    float probability = NAN, entropy = NAN;
    std::string text;
    std::vector<Candidate> top;
    size_t readings = SIZE_MAX;  // the event
};

constexpr Site kAllSites[] = {Site::log_decay, Site::beta, Site::state_norm, Site::update_norm, Site::log_sum_exp, Site::picks, Site::pick_weights};

struct Export {
    Export(const Recording& r, Progress& progress) : recording(r), card(*r.header().card) {
        std::vector<size_t> at;  // rows by position, of the sequence as it stands
        for (size_t i = 0; i < r.size(); ++i) {
            if (i % 1024 == 0) progress.at(static_cast<int64_t>(i), static_cast<int64_t>(r.size()));
            if (r.is<StatePicture>(i)) pictures.push_back(i);
            if (r.is<Readings>(i)) {
                if (const auto e = r.event(i))
                    if (const auto p = static_cast<size_t>(std::get<Readings>(*e).position); p < at.size() && !std::get<Readings>(*e).values.empty())
                        rows[at[p]].readings = i;
            } else if (r.is<PromptFed>(i)) {
                const auto e = r.event(i);
                if (!e) continue;
                const auto& fed = std::get<PromptFed>(*e);
                at.resize(std::min(at.size(), static_cast<size_t>(fed.first)));
                for (size_t n = 0; n < fed.ids.size(); ++n) {
                    at.push_back(rows.size());
                    rows.push_back({.position = fed.first + static_cast<int64_t>(n), .id = fed.ids[n], .text = std::string(card.tokenizer->bytes(fed.ids[n]))});
                }
            } else if (r.is<TokenMade>(i)) {
                auto e = r.event(i);
                if (!e) continue;
                auto& m = std::get<TokenMade>(*e);
                at.resize(std::min(at.size(), static_cast<size_t>(m.position)));
                at.push_back(rows.size());
                rows.push_back({m.position, m.id, m.answer, true, m.top.empty() ? -1 : m.rank, m.nanoseconds, m.probability, m.top.empty() ? NAN : m.entropy,
                                m.text, m.top});
            }
        }
    }
    std::vector<float> readings(const Row& row) const {
        if (on_row) on_row();
        if (row.readings == SIZE_MAX) return {};
        auto e = recording.event(row.readings);
        return e ? std::get<Readings>(*e).values : std::vector<float>();
    }
    int64_t bytes() const {  // of its readings as arrays, which are the bulk of a .npz
        int64_t values = 0;
        for (Site site : kAllSites) values += static_cast<int64_t>(card.shape.layers(site).size()) * card.shape.width(site);
        return static_cast<int64_t>(rows.size()) * values * static_cast<int64_t>(sizeof(float));
    }
    Json header() const {
        const RecordingHeader& h = recording.header();
        return {{"title", h.title},
                {"about", h.about},
                {"date", h.date},
                {"build", h.build},
                {"licence", h.licence},
                {"model", card.name},
                {"weights", card.weights},
                {"device", card.device.name},
                {"hardware", card.device.hardware},
                {"config", Json::parse(to_json(card.config))},
                {"damage", recording.damage()}};
    }
    const Recording& recording;
    const RunCard& card;
    std::vector<Row> rows;
    std::vector<size_t> pictures;
    std::function<void()> on_row;  // whose readings are read
};

std::string short_name(Site site) { return std::string(name(site).substr(name(site).find('.') + 1)); }  // "beta" of "kda.beta"

// One number of a layer's reading: its mean over heads and channels, NaN where nothing was captured. Expert numbers have no mean.
float mean_of(std::span<const float> values) {
    double sum = 0;
    int n = 0;
    for (float v : values)
        if (!std::isnan(v)) sum += v, ++n;
    return n > 0 ? static_cast<float>(sum / n) : NAN;
}

std::string number_text(double v) {
    if (std::isnan(v)) return "";
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", v);
    return text;
}

void write_csv(std::ostream& out, const Export& x) {
    const auto quoted = [](const std::string& s) {
        std::string q = "\"";
        for (char c : repair_utf8(s)) q += c == '"' ? "\"\"" : std::string(1, c);
        return q + "\"";
    };
    out << "position,answer,made,id,text,nanoseconds,probability,entropy,rank";
    for (Site site : kAllSites)
        for (int layer : x.card.shape.layers(site)) out << "," << short_name(site) << "_" << layer;
    out << "\r\n";
    for (const Row& row : x.rows) {
        out << row.position << "," << row.answer << "," << row.made << "," << row.id << "," << quoted(row.text) << ",";
        if (row.made) out << row.nanoseconds;
        out << "," << number_text(row.probability) << "," << number_text(row.entropy) << ",";
        if (row.rank >= 0) out << row.rank;
        const std::vector<float> values = x.readings(row);
        for (Site site : kAllSites) {
            for (int layer : x.card.shape.layers(site)) {
                const auto v = x.card.shape.of(site, layer, values);
                out << ",";
                if (site != Site::picks) {
                    out << number_text(mean_of(v));
                } else {
                    for (size_t i = 0; i < v.size(); ++i) out << (i ? ";" : "") << number_text(v[i]);
                }
            }
        }
        out << "\r\n";
    }
}

void write_json(std::ostream& out, const Export& x) {
    const auto number = [](double v) { return std::isnan(v) ? Json() : Json(v); };
    const auto dump = [](const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); };
    out << "{\"recording\": " << dump(x.header()) << ",\n\"tokens\": [";
    for (size_t i = 0; i < x.rows.size(); ++i) {
        const Row& row = x.rows[i];
        Json j{{"position", row.position}, {"answer", row.answer}, {"made", row.made}, {"id", row.id}, {"text", row.text}};
        if (row.made) j.update({{"nanoseconds", row.nanoseconds}, {"probability", number(row.probability)}});
        if (row.rank >= 0) {
            Json top = Json::array();
            for (const Candidate& c : row.top)
                top.push_back({{"id", c.id}, {"text", std::string(x.card.tokenizer->bytes(c.id))}, {"probability", c.probability}});
            j.update({{"entropy", number(row.entropy)}, {"rank", row.rank}, {"top", top}});
        }
        const std::vector<float> values = x.readings(row);
        for (Site site : kAllSites) {
            if (values.empty()) break;
            Json layers = Json::object();
            for (int layer : x.card.shape.layers(site)) {
                const auto v = x.card.shape.of(site, layer, values);
                Json each = Json::array();
                if (site == Site::log_decay)  // a mean for each head; the channels are in the .npz
                    for (int h = 0; h < x.card.shape.kda_heads; ++h)
                        each.push_back(number(mean_of(v.subspan(static_cast<size_t>(h * x.card.shape.gates), static_cast<size_t>(x.card.shape.gates)))));
                else
                    for (float f : v) each.push_back(site == Site::picks && !std::isnan(f) ? Json(static_cast<int>(f)) : number(f));
                layers[std::to_string(layer)] = each;
            }
            if (!layers.empty()) j[short_name(site)] = layers;
        }
        out << (i ? ",\n" : "\n") << dump(j);
    }
    out << "\n]}\n";
}

// A zip of stored .npy files, which is what NumPy's savez writes. Checksums and sizes are written back once an array is through.
class Npz {
public:
    explicit Npz(std::ostream& out) : out_(out) {}

    template <class T>
    static const char* type() {
        if constexpr (std::is_same_v<T, float>) return "<f4";
        if constexpr (std::is_same_v<T, int32_t>) return "<i4";
        if constexpr (std::is_same_v<T, int64_t>) return "<i8";
        if constexpr (std::is_same_v<T, uint8_t>) return "|b1";
    }
    // `piece(emit)` gives the values in order, however cut.
    template <class T, class Pieces>
    void array(const std::string& name, const std::vector<int64_t>& shape, Pieces&& pieces) {
        begin(name + ".npy");
        npy_header(type<T>(), shape);
        pieces([&](std::span<const T> values) { put({reinterpret_cast<const char*>(values.data()), values.size_bytes()}); });
        end();
    }
    void texts(const std::string& name, const std::vector<std::u32string>& all) {
        size_t width = 1;
        for (const auto& s : all) width = std::max(width, s.size());
        begin(name + ".npy");
        npy_header("<U" + std::to_string(width), {static_cast<int64_t>(all.size())});
        for (std::u32string s : all) s.resize(width), put({reinterpret_cast<const char*>(s.data()), s.size() * 4});
        end();
    }
    void text(const std::string& name, const std::u32string& s) {  // an array of no dimension: z[name].item() is the text
        begin(name + ".npy");
        npy_header("<U" + std::to_string(s.size()), {});
        put({reinterpret_cast<const char*>(s.data()), s.size() * 4});
        end();
    }
    // Zip without its 64-bit extension ends at 4 GiB.
    bool too_large() const { return too_large_; }
    void finish() {
        const auto start = static_cast<uint32_t>(at_);
        for (const Entry& e : entries_) {
            std::string h;
            add(h, uint32_t{0x02014b50}), add(h, uint16_t{20}), add(h, uint16_t{20}), common(h, e);
            add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, uint32_t{0}),
                add(h, static_cast<uint32_t>(e.offset));  // comment, disk, attributes
            raw(h + e.name);
        }
        std::string h;
        const auto count = static_cast<uint16_t>(entries_.size());
        add(h, uint32_t{0x06054b50}), add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, count), add(h, count), add(h, static_cast<uint32_t>(at_ - start)),
            add(h, start), add(h, uint16_t{0});
        raw(h);
    }

private:
    struct Entry {
        std::string name;
        uint64_t offset = 0, size = 0;
        uint32_t sum = 0;
    };
    template <class T>
    static void add(std::string& to, T value) {
        to.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    static void common(std::string& h, const Entry& e) {                                            // of both headers, behind the version
        add(h, uint16_t{0x800}), add(h, uint16_t{0}), add(h, uint16_t{0}), add(h, uint16_t{0x21});  // UTF-8 names, stored, 1980-01-01
        add(h, e.sum), add(h, static_cast<uint32_t>(e.size)), add(h, static_cast<uint32_t>(e.size)), add(h, static_cast<uint16_t>(e.name.size())),
            add(h, uint16_t{0});
    }
    static std::string local(const Entry& e) {
        std::string h;
        add(h, uint32_t{0x04034b50}), add(h, uint16_t{20}), common(h, e);
        return h + e.name;
    }
    void raw(std::string_view bytes) {
        out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        at_ += bytes.size();
        too_large_ = too_large_ || at_ > UINT32_MAX;
    }
    void begin(std::string name) {
        entries_.push_back({std::move(name), at_});
        raw(local(entries_.back()));
    }
    void put(std::string_view bytes) {
        if (too_large_) return;
        entries_.back().sum = crc32(bytes, entries_.back().sum);
        entries_.back().size += bytes.size();
        raw(bytes);
    }
    void end() {
        out_.seekp(static_cast<std::streamoff>(entries_.back().offset));
        const std::string h = local(entries_.back());
        out_.write(h.data(), static_cast<std::streamsize>(h.size()));
        out_.seekp(static_cast<std::streamoff>(at_));
    }
    void npy_header(const std::string& type, const std::vector<int64_t>& shape) {
        std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (";
        for (int64_t n : shape) header += std::to_string(n) + ",";
        header += "), }";
        header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
        header += '\n';
        std::string front("\x93NUMPY\x01\x00", 8);
        add(front, static_cast<uint16_t>(header.size()));
        put(front + header);
    }
    std::ostream& out_;
    uint64_t at_ = 0;
    bool too_large_ = false;
    std::vector<Entry> entries_;
};

std::u32string code_points(std::string_view utf8) {
    std::u32string out;
    const std::string s = repair_utf8(utf8);
    for (size_t i = 0; i < s.size();) {
        const size_t n = utf8_step(std::string_view(s).substr(i)).size;
        char32_t c = static_cast<unsigned char>(s[i]) & (n == 1 ? 0x7F : 0xFF >> (n + 1));
        for (size_t k = 1; k < n; ++k) c = c << 6 | (static_cast<unsigned char>(s[i + k]) & 0x3F);
        out += c;
        i += n;
    }
    return out;
}

bool write_npz(std::ostream& out, const Export& x) {
    Npz npz(out);
    const auto T = static_cast<int64_t>(x.rows.size());
    const auto column = [&]<class V>(const char* name, V Row::*member) {
        npz.array<std::conditional_t<std::is_same_v<V, bool>, uint8_t, V>>(name, {T}, [&](auto&& emit) {
            for (const Row& row : x.rows) {
                const std::conditional_t<std::is_same_v<V, bool>, uint8_t, V> v = row.*member;
                emit({&v, 1});
            }
        });
    };
    column("position", &Row::position), column("ids", &Row::id), column("answer", &Row::answer), column("made", &Row::made), column("rank", &Row::rank);
    column("nanoseconds", &Row::nanoseconds), column("probability", &Row::probability), column("entropy", &Row::entropy);
    std::vector<std::u32string> texts;
    for (const Row& row : x.rows) texts.push_back(code_points(row.text));
    npz.texts("text", texts);

    const TraceShape& shape = x.card.shape;
    for (Site site : kAllSites) {
        const auto& layers = shape.layers(site);
        if (layers.empty()) continue;
        const std::string layer_name = site == Site::log_sum_exp ? "mla" : site == Site::picks ? "moe" : "kda";
        if (site == Site::log_decay || site == Site::log_sum_exp || site == Site::picks) {
            const std::vector<int32_t> numbers(layers.begin(), layers.end());
            npz.array<int32_t>(layer_name + "_layers", {static_cast<int64_t>(numbers.size())}, [&](auto&& emit) { emit(std::span(numbers)); });
        }
        std::vector<int64_t> dims{T, static_cast<int64_t>(layers.size())};
        if (site == Site::log_decay)
            dims.insert(dims.end(), {shape.kda_heads, shape.gates});
        else
            dims.push_back(shape.width(site));
        const std::vector<float> none(layers.size() * static_cast<size_t>(shape.width(site)), NAN);
        const auto each_row = [&](auto&& take) {
            for (const Row& row : x.rows) {
                const std::vector<float> values = x.readings(row);
                take(values.empty() ? std::span(none) : std::span(values).subspan(static_cast<size_t>(shape.offset(site, layers[0])), none.size()));
            }
        };
        if (site != Site::picks) {
            npz.array<float>(short_name(site), dims, each_row);
            continue;
        }
        npz.array<int32_t>(short_name(site), dims, [&](auto&& emit) {  // numbers of experts; -1: not captured
            std::vector<int32_t> experts(none.size());
            each_row([&](std::span<const float> values) {
                std::transform(values.begin(), values.end(), experts.begin(), [](float v) { return std::isnan(v) ? -1 : static_cast<int32_t>(v); });
                emit(std::span<const int32_t>(experts));
            });
        });
    }
    if (!x.pictures.empty()) {
        std::vector<StatePicture> whole;
        for (size_t i : x.pictures)
            if (auto e = x.recording.event(i)) whole.push_back(std::move(std::get<StatePicture>(*e)));
        const auto N = static_cast<int64_t>(whole.size());
        npz.array<float>("state", {N, shape.value_dim, shape.key_dim}, [&](auto&& emit) {
            for (const StatePicture& p : whole) emit(std::span(p.values));
        });
        npz.array<int64_t>("state_position_layer_head", {N, 3}, [&](auto&& emit) {
            for (const StatePicture& p : whole) {
                const int64_t v[3] = {p.position, p.layer, p.head};
                emit(std::span(v));
            }
        });
    }
    npz.text("recording", code_points(x.header().dump(2, ' ', false, Json::error_handler_t::replace)));
    npz.finish();
    return !npz.too_large();
}

}  // namespace

int export_command(const ExportOptions& options, Terminal& terminal) {
    const std::string kind = fs::path(options.out).extension().string();
    if (kind != ".npz" && kind != ".csv" && kind != ".json")
        return report({Error::usage, "-o " + options.out + ": the file's name must end in .npz, .csv or .json"});
    auto recording = open_recording(options.file);
    if (!recording) return report(recording.error());
    if (!(*recording)->damage().empty()) note("klp: " + one_line((*recording)->damage()));
    std::optional<Progress> progress(std::in_place, terminal, "reading " + options.file, "event");
    Export all(**recording, *progress);
    progress.reset();
    // Readings are the bulk, and are read for each kind of array again.
    int64_t passes = 0, row = 0;
    for (Site site : kAllSites) passes += !all.card.shape.layers(site).empty();
    const int64_t rows = static_cast<int64_t>(all.rows.size()) * (kind == ".npz" ? passes : 1);
    progress.emplace(terminal, "writing " + options.out, "row");
    all.on_row = [&] { progress->at(row++, rows); };
    auto file = NewFile::create(options.out, kind == ".npz" ? all.bytes() : 0);
    if (!file) {
        progress.reset();
        return report(file.error());
    }
    bool fits = true;
    if (kind == ".npz")
        fits = write_npz(file->out(), all);
    else if (kind == ".csv")
        write_csv(file->out(), all);
    else
        write_json(file->out(), all);
    progress.reset();
    if (auto written = file->sound(); !written) return report(written.error());
    if (!fits) return report({Error::failure, options.out + " would be larger than the 4 GiB a zip file may have; a .csv may not"});
    if (auto kept = file->keep(); !kept) return report(kept.error());
    std::error_code none;
    note(options.out + ": " + plural(static_cast<int64_t>(all.rows.size()), "token") + ", " +
         bytes_text(static_cast<int64_t>(fs::file_size(options.out, none))));
    return 0;
}

}  // namespace klp
