// A port here that is one elsewhere: `ssh -N -L`, which asks for nothing and ends with this object.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "kernels/backend.h"

namespace klp {

class SshTunnel {
public:
    // `host`: as ssh knows it ("gpu", "me@gpu"); `to`: HOST:PORT as that machine sees it. Waits until the port answers. An Error has the last line that ssh
    // said; of kind interrupted after a cancel.
    static Result<std::shared_ptr<SshTunnel>> open(const std::string& host, const std::string& to, const std::atomic<bool>* cancel);
    ~SshTunnel();
    SshTunnel(const SshTunnel&) = delete;
    int port() const { return port_; }
    void mend();  // begins it again where ssh has ended; any thread

private:
    SshTunnel(std::string host, std::string to, int port);
    Result<void> begin();
    bool ended();  // and if so, what it said is in `said_`
    void listen();
    const std::string host_, to_;
    const int port_;
    std::mutex mutex_;
    int pid_ = -1, said_fd_ = -1;
    std::string said_;
};

}  // namespace klp
