// The command line's definition in its other forms, made from it so that they cannot differ: the page klp(1), and what a shell completes.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace klp {

std::string man_page(const CLI::App& app, const std::string& version);  // roff
std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);

}  // namespace klp
