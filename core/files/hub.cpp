#include "core/files/hub.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "core/files/disk.h"
#include "core/files/json.h"
#include "core/files/library.h"
#include "core/system.h"

namespace klp {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kPulled = 32 << 20;      // bytes of a file that one request brings
constexpr size_t kStreams = 4;             // requests at a time
constexpr int kTries = 5;                  // in a row that bring nothing
constexpr size_t kMaxAnswer = 64 << 20;    // of the API, bytes
constexpr int64_t kSaved = 1'000'000'000;  // nanoseconds between two notes of how far it is

struct EasyEnd {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiEnd {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
using Easy = std::unique_ptr<CURL, EasyEnd>;

bool cancelled(const std::atomic<bool>* cancel) { return cancel && *cancel; }
tl::unexpected<Error> interrupted(const std::string& what) { return fail(Error::interrupted, what); }

// What every request has in common.
Easy request(const Hub& hub, const std::string& url) {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    Easy easy(ready ? curl_easy_init() : nullptr);
    if (!easy) throw DeviceError("out of memory");
    CURL* e = easy.get();
    curl_easy_setopt(e, CURLOPT_URL, url.c_str());
    curl_easy_setopt(e, CURLOPT_USERAGENT, "klp");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);  // a line that is silent for a minute is dead
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, 60L);
    if (!hub.token.empty()) {  // libcurl keeps it from other hosts
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, hub.token.c_str());
    }
    return easy;
}

std::string escaped(const std::string& path) {  // slashes stay
    std::string out;
    for (size_t at = 0; at <= path.size();) {
        const size_t end = std::min(path.find('/', at), path.size());
        char* part = curl_easy_escape(nullptr, path.data() + at, static_cast<int>(end - at));
        if (!part) throw DeviceError("out of memory");
        out += (at > 0 ? "/" : "") + std::string(part);
        curl_free(part);
        at = end + 1;
    }
    return out;
}

// What an answer says when it is not the one that was asked for; `again`: the same request may go well later.
struct Refusal {
    std::string what;
    bool again = false;
    int64_t wait_s = -1;  // as the server asks for
};
Refusal refusal(const Hub& hub, const std::string& repository, CURL* easy, CURLcode code) {
    if (code != CURLE_OK && code != CURLE_WRITE_ERROR) {
        const bool hopeless = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT ||
                              code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_COULDNT_CONNECT;
        return {hub.endpoint + ": " + curl_easy_strerror(code), !hopeless, -1};
    }
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_off_t wait = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
    const std::string at = hub.endpoint + ": " + repository;
    switch (status) {
        case 401:
            return {at + (hub.token.empty() ? " is not there, or asks for a token: set HF_TOKEN to one" : ": the token in HF_TOKEN is not accepted")};
        case 403:
            return {at + " is gated: accept its terms on " + hub.endpoint + "/" + repository + (hub.token.empty() ? ", then set HF_TOKEN" : "")};
        case 404:
            return {at + " is not there" + (hub.token.empty() ? ", or is private (HF_TOKEN)" : "")};
        case 429:
            return {at + ": too many requests", true, wait > 0 ? std::min<int64_t>(wait, 300) : -1};
        default:
            return {at + ": the server answers " + std::to_string(status), status >= 500 || status == 408, wait > 0 ? std::min<int64_t>(wait, 300) : -1};
    }
}

// Waits before the next try, 1 2 4 8 s or what the server asks for; false: cancelled.
bool wait_to_try(int tries, int64_t asked_s, const std::atomic<bool>* cancel) {
    const int64_t until = now_ns() + (asked_s >= 0 ? asked_s : int64_t{1} << std::min(tries - 1, 5)) * 1'000'000'000;
    while (now_ns() < until) {
        if (cancelled(cancel)) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return !cancelled(cancel);
}

// --- what a repository holds --------------------------------------------------------------------------------------------------------------

struct HubAnswer {
    std::string text, next;  // the address of the next page
    const std::atomic<bool>* cancel;
};

size_t take_text(char* data, size_t, size_t n, void* to) {
    auto& answer = *static_cast<HubAnswer*>(to);
    if (cancelled(answer.cancel) || answer.text.size() + n > kMaxAnswer) return 0;
    answer.text.append(data, n);
    return n;
}
size_t take_header(char* data, size_t, size_t n, void* to) {  // Link: <ADDRESS>; rel="next"
    const std::string_view line(data, n);
    const bool link = line.size() > 5 && std::equal(line.begin(), line.begin() + 5, "link:", [](char a, char b) { return std::tolower(a) == b; });
    const size_t rel = link ? line.find("rel=\"next\"") : line.npos, end = rel == line.npos ? rel : line.rfind('>', rel),
                 begin = end == line.npos ? end : line.rfind('<', end);
    if (begin != line.npos) static_cast<HubAnswer*>(to)->next = line.substr(begin + 1, end - begin - 1);
    return n;
}

int stop_waiting(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t) { return cancelled(static_cast<HubAnswer*>(of)->cancel); }

Result<HubAnswer> get(const Hub& hub, const std::string& repository, const std::string& url, const std::atomic<bool>* cancel) {
    for (int tries = 1;; ++tries) {
        HubAnswer answer{.cancel = cancel};
        const Easy easy = request(hub, url);
        curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, take_text);
        curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer);
        curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy.get(), CURLOPT_XFERINFOFUNCTION, stop_waiting);
        curl_easy_setopt(easy.get(), CURLOPT_XFERINFODATA, &answer);
        curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, take_header);
        curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, &answer);
        const CURLcode code = curl_easy_perform(easy.get());
        if (cancelled(cancel)) return interrupted("interrupted");
        long status = 0;
        curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK && status == 200) return answer;
        const Refusal why = refusal(hub, repository, easy.get(), code);
        if (!why.again || tries == kTries) return fail(Error::failure, why.what);
        if (!wait_to_try(tries, why.wait_s, cancel)) return interrupted("interrupted");
    }
}

// A path that stays inside the folder it is put in.
bool is_safe(const std::string& path) {
    if (path.empty() || path.size() > 1024 || path.find('\\') != path.npos) return false;
    if (std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < 32 || c == 127; })) return false;
    for (size_t at = 0; at <= path.size();) {
        const size_t end = std::min(path.find('/', at), path.size());
        const std::string part = path.substr(at, end - at);
        if (part.empty() || part == "." || part == "..") return false;
        at = end + 1;
    }
    return true;
}
bool is_repository(const std::string& name) {
    return std::count(name.begin(), name.end(), '/') == 1 && is_safe(name) &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || std::strchr("-_./", c); });
}
bool is_sha256(const std::string& text) {
    return text.size() == 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) || (c >= 'a' && c <= 'f'); });
}

// --- what is wanted -----------------------------------------------------------------------------------------------------------------------

std::string lower_name(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}
std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string size_text(int64_t bytes) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
    return text;
}

// --- the bytes ----------------------------------------------------------------------------------------------------------------------------

std::string sha256_of(int fd, int64_t size, const std::function<bool(int64_t)>& go_on) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    if (!hash || !EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr)) throw DeviceError("out of memory");
    std::vector<char> buffer(1 << 20);
    for (int64_t at = 0; at < size;) {
        if (!go_on(at)) return "";
        const ssize_t n = pread(fd, buffer.data(), buffer.size(), at);
        if (n <= 0) return "";
        EVP_DigestUpdate(hash.get(), buffer.data(), static_cast<size_t>(n));
        at += n;
    }
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(hash.get(), sum, &length);
    std::string text;
    for (unsigned i = 0; i < length; ++i) {
        constexpr char kHex[] = "0123456789abcdef";
        text += kHex[sum[i] >> 4], text += kHex[sum[i] & 15];
    }
    return text;
}

// A file on its way.
class GrowingFile {
public:
    GrowingFile(fs::path file, const HubFile& of) : file_(std::move(file)), of_(of), done_(static_cast<size_t>((of.size + kPulled - 1) / kPulled)) {}
    ~GrowingFile() {
        struct stat is;
        if (fd_ >= 0 && fstat(fd_, &is) == 0 && is.st_nlink > 0 && is.st_size == 0 && of_.size > 0) unlink(part().c_str());  // nothing came of it
        if (fd_ >= 0) close(fd_);
    }
    GrowingFile(const GrowingFile&) = delete;

    Result<void> open() {
        fd_ = ::open(part().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (fd_ < 0) return failed(part());
        if (flock(fd_, LOCK_EX | LOCK_NB) != 0) return fail(Error::failure, part().string() + " is being pulled by another program");
        read_done();
        return {};
    }
    Result<void> lengthen() {  // the bytes that are missing take no room yet
        if (ftruncate(fd_, of_.size) != 0) return failed(part());
        return {};
    }
    // How far each piece is. Notes of another file, or none: from the beginning.
    void read_done() {
        std::ifstream in(notes());
        std::string head;
        std::vector<int64_t> counts(done_.size());
        if (!std::getline(in, head) || head != this->head()) return;
        for (size_t i = 0; i < counts.size(); ++i)
            if (!(in >> counts[i]) || counts[i] < 0 || counts[i] > length(i)) return;
        done_ = counts;
    }
    void save() {
        saved_ = now_ns();
        const fs::path fresh = notes().string() + "~";
        {
            std::ofstream out(fresh, std::ios::trunc);
            out << head() << '\n';
            for (int64_t n : done_) out << n << ' ';
            if (!out.flush()) return;  // the next pull begins where the last note says
        }
        std::error_code none;
        fs::rename(fresh, notes(), none);
    }
    void save_sometimes() {
        if (now_ns() - saved_ > kSaved) save();
    }
    void begin_anew() { std::fill(done_.begin(), done_.end(), 0); }

    size_t pieces() const { return done_.size(); }
    int64_t length(size_t piece) const { return std::min(kPulled, of_.size - static_cast<int64_t>(piece) * kPulled); }
    int64_t left(size_t piece) const { return length(piece) - done_[piece]; }
    int64_t at(size_t piece) const { return static_cast<int64_t>(piece) * kPulled + done_[piece]; }
    int64_t done() const {
        int64_t sum = 0;
        for (int64_t n : done_) sum += n;
        return sum;
    }
    bool write(size_t piece, const char* data, size_t n) {
        for (size_t at = 0; at < n;) {
            const ssize_t wrote = pwrite(fd_, data + at, n - at, this->at(piece));
            if (wrote <= 0) {
                error_ = wrote < 0 ? errno : ENOSPC;
                return false;
            }
            at += static_cast<size_t>(wrote), done_[piece] += wrote;
        }
        return true;
    }
    int error() const { return error_; }
    fs::path part() const { return file_.string() + ".part"; }
    tl::unexpected<Error> failed(const fs::path& what) const { return fail(Error::failure, what.string() + ": " + std::strerror(error_ ? error_ : errno)); }

    Result<void> check(const PullOptions& options) {
        if (of_.sha256.empty()) return {};
        const std::string sum = sha256_of(fd_, of_.size, [&](int64_t at) {
            if (options.progress) options.progress("checking", at, of_.size);
            return !cancelled(options.cancel);
        });
        if (cancelled(options.cancel)) return interrupted("interrupted");
        if (sum == of_.sha256) return {};
        std::error_code none;
        fs::remove(part(), none), fs::remove(notes(), none);
        return fail(Error::failure, file_.string() + ": what came is not what the hub has (SHA-256 " + sum.substr(0, 12) + "... instead of " +
                                        of_.sha256.substr(0, 12) + "...); it was removed, pull it again");
    }
    Result<void> finish() {
        if (fsync(fd_) != 0 || rename(part().c_str(), file_.c_str()) != 0) return failed(file_);
        std::error_code none;
        fs::remove(notes(), none);
        return {};
    }

private:
    fs::path notes() const { return file_.string() + ".part.done"; }
    std::string head() const { return "klp part of " + std::to_string(of_.size) + " " + of_.sha256; }

    fs::path file_;
    HubFile of_;
    std::vector<int64_t> done_;  // bytes of each piece
    int fd_ = -1, error_ = 0;
    int64_t saved_ = 0;
};

// One piece of it coming.
struct PieceStream {
    Easy easy;
    GrowingFile* part;
    size_t piece;
    bool ranged;                       // asked for a part of the file
    bool good = false, whole = false;  // status 206, 200
    const std::atomic<bool>* cancel;
};
size_t take_piece(char* data, size_t, size_t n, void* to) {
    auto& s = *static_cast<PieceStream*>(to);
    if (cancelled(s.cancel)) return 0;
    if (!s.good) {
        long status = 0;
        curl_easy_getinfo(s.easy.get(), CURLINFO_RESPONSE_CODE, &status);
        s.whole = status == 200 && s.ranged;
        s.good = status == 206 || (status == 200 && !s.ranged);
        if (!s.good) return s.whole ? 0 : n;  // a page that says what is wrong
    }
    if (static_cast<int64_t>(n) > s.part->left(s.piece) && s.ranged) return 0;
    for (size_t left = n; s.piece < s.part->pieces(); ++s.piece) {  // without ranges one stream brings all pieces
        const auto here = std::min<size_t>(left, static_cast<size_t>(s.part->left(s.piece)));
        if (!s.part->write(s.piece, data, here)) return 0;
        data += here, left -= here;
        if (left == 0) return n;
    }
    return 0;
}

Result<void> bring(const Hub& hub, const std::string& repository, const HubFile& file, GrowingFile& part, int64_t before, int64_t total,
                   const PullOptions& options) {
    const std::string url = hub.endpoint + "/" + repository + "/resolve/main/" + escaped(file.path);
    const std::unique_ptr<CURLM, MultiEnd> multi(curl_multi_init());
    if (!multi) throw DeviceError("out of memory");
    std::map<CURL*, std::unique_ptr<PieceStream>> streams;
    struct Clear {  // handles leave before they end
        CURLM* multi;
        std::map<CURL*, std::unique_ptr<PieceStream>>& streams;
        ~Clear() {
            for (auto& [easy, stream] : streams) curl_multi_remove_handle(multi, easy);
        }
    } clear{multi.get(), streams};

    bool ranges = true;
    int tries = 0;
    int64_t best = part.done();
    const auto begin = [&](size_t piece) {
        auto stream =
            std::make_unique<PieceStream>(PieceStream{.easy = request(hub, url), .part = &part, .piece = piece, .ranged = ranges, .cancel = options.cancel});
        CURL* e = stream->easy.get();
        if (ranges) {
            const int64_t from = part.at(piece), to = from + part.left(piece) - 1;
            curl_easy_setopt(e, CURLOPT_RANGE, (std::to_string(from) + "-" + std::to_string(to)).c_str());
        }
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_piece);
        curl_easy_setopt(e, CURLOPT_WRITEDATA, stream.get());
        curl_multi_add_handle(multi.get(), e);
        streams.emplace(e, std::move(stream));
    };
    while (part.done() < file.size) {
        for (size_t p = 0; p < part.pieces() && streams.size() < (ranges ? kStreams : 1); ++p) {
            const bool busy = std::any_of(streams.begin(), streams.end(), [&](const auto& s) { return s.second->piece == p; });
            if (part.left(p) > 0 && !busy) begin(p);
        }
        int running = 0;
        curl_multi_perform(multi.get(), &running);
        curl_multi_poll(multi.get(), nullptr, 0, 100, nullptr);
        if (options.progress) options.progress("pulling", before + part.done(), total);
        part.save_sometimes();
        if (cancelled(options.cancel)) {
            part.save();
            return interrupted("interrupted: what has come is kept, and the same pull goes on from there");
        }
        Refusal why;
        bool broken = false;
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            CURL* easy = message->easy_handle;
            const CURLcode code = message->data.result;
            const auto stream = std::move(streams.at(easy));
            streams.erase(easy);
            curl_multi_remove_handle(multi.get(), easy);
            if (part.error()) {
                part.save();
                return part.failed(part.part());
            }
            if (stream->whole) {  // this server knows no ranges
                ranges = false;
                continue;
            }
            if (stream->good && code == CURLE_OK) continue;
            why = stream->good ? Refusal{hub.endpoint + ": " + file.path + ": the connection was cut", true, -1}
                               : refusal(hub, repository + "/" + file.path, easy, code);
            broken = true;
        }
        if (!ranges && !streams.empty() && streams.begin()->second->ranged) {
            for (auto& [easy, stream] : streams) curl_multi_remove_handle(multi.get(), easy);
            streams.clear();
        }
        if (!ranges && streams.empty() && part.done() < file.size) part.begin_anew();
        if (!broken) continue;
        if (part.done() > best) tries = 0, best = part.done();
        part.save();
        if (!why.again || ++tries >= kTries) return fail(Error::failure, why.what + (part.done() > 0 ? "; what has come is kept" : ""));
        if (!wait_to_try(tries, why.wait_s, options.cancel)) return interrupted("interrupted: what has come is kept, and the same pull goes on from there");
    }
    part.save();
    return {};
}

}  // namespace

Hub hub_of_environment() {
    const auto variable = [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value ? value : "";
    };
    Hub hub;
    if (std::string endpoint = variable("HF_ENDPOINT"); !endpoint.empty()) {
        while (endpoint.ends_with('/')) endpoint.pop_back();
        hub.endpoint = endpoint;
    }
    hub.token = variable("HF_TOKEN");
    if (hub.token.empty()) {
        const std::string home = variable("HF_HOME"), cache = variable("XDG_CACHE_HOME");
        const fs::path folder = !home.empty() ? fs::path(home) : (!cache.empty() ? fs::path(cache) : fs::path(variable("HOME")) / ".cache") / "huggingface";
        if (auto token = read_text(folder / "token", 4096)) hub.token = *token;
    }
    hub.token.erase(std::remove_if(hub.token.begin(), hub.token.end(), [](unsigned char c) { return c <= 32 || c == 127; }), hub.token.end());
    return hub;
}

Result<std::vector<HubFile>> hub_files(const Hub& hub, const std::string& repository, const std::atomic<bool>* cancel) {
    if (!is_repository(repository)) return fail(Error::usage, in_quotes(repository) + " is not a repository: ORGANISATION/NAME");
    std::vector<HubFile> files;
    std::string url = hub.endpoint + "/api/models/" + repository + "/tree/main?recursive=true";
    for (int page = 0; !url.empty(); ++page) {
        if (page == 1000) return fail(Error::failure, hub.endpoint + ": the list of files has no end");
        auto answer = get(hub, repository, url, cancel);
        if (!answer) return tl::unexpected(answer.error());
        const auto json = parse_json(answer->text, url);
        if (!json) return tl::unexpected(json.error());
        if (!json->is_array()) return fail(Error::failure, url + ": is not a list of files");
        for (const auto& entry : *json) {
            const auto text = [&](const nlohmann::json& in, const char* key) {
                const auto it = in.is_object() ? in.find(key) : in.end();
                return it != in.end() && it->is_string() ? it->get<std::string>() : std::string();
            };
            if (text(entry, "type") != "file") continue;
            HubFile file{.path = text(entry, "path")};
            const auto size = entry.find("size");
            if (!is_safe(file.path) || size == entry.end() || !size->is_number_unsigned() || size->get<uint64_t>() > (uint64_t{1} << 50))
                return fail(Error::failure, url + ": a file without a sensible path and size: " + in_quotes(file.path));
            file.size = size->get<int64_t>();
            if (const auto lfs = entry.find("lfs"); lfs != entry.end()) {
                file.sha256 = text(*lfs, "oid");
                if (!is_sha256(file.sha256)) return fail(Error::failure, url + ": " + file.path + ": 'lfs.oid' is not a SHA-256");
            }
            files.push_back(std::move(file));
        }
        url = std::move(answer->next);
    }
    return files;
}

Result<std::vector<HubFile>> choose_files(const std::vector<HubFile>& all, const std::string& repository, const std::string& wanted) {
    std::map<std::string, std::vector<HubFile>> models;  // GGUF, by the name of all their parts
    std::vector<HubFile> folder;                         // what a model of safetensors is made of
    bool safetensors = false, shards = false;
    for (const HubFile& f : all) shards |= f.path == "model.safetensors" || f.path == "model.safetensors.index.json";
    for (const HubFile& f : all) {
        const std::string name = lower_name(file_name(f.path));
        if (name.ends_with(".gguf") && !name.starts_with("mmproj") && !name.starts_with("imatrix")) models[split_name(f.path).first].push_back(f);
        if (f.path.find('/') != f.path.npos) continue;
        const bool weights = name.ends_with(".safetensors") && (!shards || name.starts_with("model"));
        safetensors |= weights;
        if (weights || name.ends_with(".json") || name.ends_with(".model") || name.ends_with(".jinja") || name.starts_with("license")) folder.push_back(f);
    }
    std::string choices;
    for (const auto& [name, parts] : models) {
        int64_t bytes = 0;
        for (const HubFile& f : parts) bytes += f.size;
        choices += (choices.empty() ? "" : ", ") + file_name(name) + " (" + size_text(bytes) + ")";
    }
    if (wanted.empty()) {
        if (safetensors) return folder;
        if (models.size() == 1) return models.begin()->second;
        if (models.empty()) return fail(Error::failure, repository + " holds neither safetensors nor GGUF files");
        return fail(Error::usage, repository + " holds several models: say which, as " + repository + ":Q4_K_M or with its file: " + choices);
    }
    std::vector<std::vector<HubFile>> found;
    for (const auto& [name, parts] : models) {
        const bool is_one = std::any_of(parts.begin(), parts.end(), [&](const HubFile& f) { return f.path == wanted || file_name(f.path) == wanted; });
        if (is_one || name == wanted || file_name(name) == wanted) return parts;
        if (names_type(file_name(name), wanted)) found.push_back(parts);
    }
    for (const HubFile& f : all)
        if (f.path == wanted) return std::vector{f};
    if (found.size() == 1) return found[0];
    if (found.empty() && models.empty()) return fail(Error::usage, repository + " has no file " + in_quotes(wanted));
    return fail(Error::usage,
                repository + (found.empty() ? " has nothing called " : " has several files called ") + in_quotes(wanted) + "; there are " + choices);
}

int64_t HubModel::bytes() const {
    int64_t sum = 0;
    for (const HubFile& f : files) sum += f.size;
    return sum;
}

fs::path HubModel::opens_in(const fs::path& folder) const {
    return !files.empty() && files.front().path.ends_with(".gguf") ? folder / files.front().path : folder;
}

Result<HubModel> find_on_hub(const Hub& hub, const std::string& said, const std::atomic<bool>* cancel) {
    const size_t colon = said.find(':');
    HubModel model{said.substr(0, colon), {}};
    auto all = hub_files(hub, model.repository, cancel);
    if (!all) return tl::unexpected(all.error());
    auto files = choose_files(*all, model.repository, colon == said.npos ? "" : said.substr(colon + 1));
    if (!files) return tl::unexpected(files.error());
    model.files = std::move(*files);
    return model;
}

Result<void> pull(const Hub& hub, const HubModel& model, const fs::path& folder, const PullOptions& options) {
    const std::vector<HubFile>& files = model.files;
    const int64_t total = model.bytes();
    std::error_code error;
    int64_t there = 0;
    std::vector<std::unique_ptr<GrowingFile>> parts;  // none where the file is there
    for (const HubFile& f : files) {
        const fs::path file = folder / f.path;
        if (auto made = make_folder(file.parent_path()); !made) return made;
        parts.emplace_back();
        if (fs::is_regular_file(file, error) && static_cast<int64_t>(fs::file_size(file, error)) == f.size) {
            there += f.size;
            continue;
        }
        parts.back() = std::make_unique<GrowingFile>(file, f);
        if (auto opened = parts.back()->open(); !opened) return opened;
        there += parts.back()->done();
    }
    if (files.empty()) return {};
    if (auto room = check_room(folder / files.front().path, total - there); !room) return room;
    int64_t before = 0;
    for (size_t i = 0; i < files.size(); before += files[i].size, ++i) {
        if (!parts[i]) continue;
        if (auto longer = parts[i]->lengthen(); !longer) return longer;
        if (auto brought = bring(hub, model.repository, files[i], *parts[i], before, total, options); !brought) return brought;
        if (auto checked = parts[i]->check(options); !checked) return checked;
        if (auto finished = parts[i]->finish(); !finished) return finished;
        parts[i].reset();
    }
    return {};
}

}  // namespace klp
