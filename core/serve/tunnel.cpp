#include "core/serve/tunnel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "core/files/json.h"

extern char** environ;

namespace klp {

namespace {

constexpr auto kTunnelLook = std::chrono::milliseconds(30);
constexpr auto kTunnelPatience = std::chrono::seconds(60);

sockaddr_in loopback(int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET, at.sin_port = htons(static_cast<uint16_t>(port)), at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    int port = -1;
    if (fd >= 0 && bind(fd, reinterpret_cast<sockaddr*>(&at), size) == 0 && getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0)
        port = ntohs(at.sin_port);
    if (fd >= 0) close(fd);
    return port;
}

bool answers(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in at = loopback(port);
    const bool there = fd >= 0 && connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
    if (fd >= 0) close(fd);
    return there;
}

}  // namespace

SshTunnel::SshTunnel(std::string host, std::string to, int port) : host_(std::move(host)), to_(std::move(to)), port_(port) {}

Result<std::shared_ptr<SshTunnel>> SshTunnel::open(const std::string& host, const std::string& to, const std::atomic<bool>* cancel) {
    if (host.empty() || host[0] == '-' || std::any_of(host.begin(), host.end(), [](unsigned char c) { return c <= ' ' || c == 127; }))
        return fail(Error::usage, in_quotes(host) + " is no host for ssh, such as gpu or me@gpu");
    const int port = free_port();
    if (port < 0) return fail(Error::failure, "no port is free for ssh");
    std::shared_ptr<SshTunnel> tunnel(new SshTunnel(host, to, port));
    if (auto begun = tunnel->begin(); !begun) return tl::unexpected(begun.error());
    for (const auto end = std::chrono::steady_clock::now() + kTunnelPatience; std::chrono::steady_clock::now() < end;) {
        if (cancel && *cancel) return fail(Error::interrupted, "interrupted");
        {
            const std::lock_guard lock(tunnel->mutex_);
            if (tunnel->ended()) {
                std::string said = tunnel->said_;
                while (!said.empty() && (said.back() == '\n' || said.back() == '\r')) said.pop_back();
                said.erase(0, said.rfind('\n') + 1);
                const std::string quoted = in_quotes(said);
                return fail(Error::failure, "ssh to " + host + " ended: " + (said.empty() ? "it did not say why" : quoted.substr(1, quoted.size() - 2)));
            }
        }
        if (answers(port)) return tunnel;
        std::this_thread::sleep_for(kTunnelLook);
    }
    return fail(Error::failure, "ssh to " + host + " makes no way to " + to);
}

Result<void> SshTunnel::begin() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(Error::failure, std::string("ssh cannot be begun: ") + std::strerror(errno));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    posix_spawnattr_t attributes;  // a Ctrl-C at the terminal is for this program and not for ssh
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    const std::string forward = "127.0.0.1:" + std::to_string(port_) + ":" + to_;
    const char* const words[] = {
        "ssh",           "-N", "-T",          "-o",   "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "ServerAliveInterval=5", "-L",
        forward.c_str(), "--", host_.c_str(), nullptr};
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, "ssh", &actions, &attributes, const_cast<char* const*>(words), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return fail(Error::failure, std::string("ssh cannot be begun: ") + std::strerror(error));
    }
    pid_ = pid, said_fd_ = ends[0];
    said_.clear();
    return {};
}

// What it says is read all the time, or it would wait for somebody to read.
void SshTunnel::listen() {
    char bytes[1024];
    for (ssize_t n; said_fd_ >= 0 && (n = ::read(said_fd_, bytes, sizeof bytes)) > 0;) {
        said_.append(bytes, static_cast<size_t>(n));
        if (said_.size() > 4096) said_.erase(0, said_.size() - 4096);
    }
}

bool SshTunnel::ended() {
    listen();
    if (pid_ < 0) return true;
    if (waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
    pid_ = -1;
    listen();
    close(std::exchange(said_fd_, -1));
    return true;
}

void SshTunnel::mend() {
    const std::lock_guard lock(mutex_);
    if (ended()) (void)begin();
}

SshTunnel::~SshTunnel() {
    if (pid_ > 0) {
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
    }
    if (said_fd_ >= 0) close(said_fd_);
}

}  // namespace klp
