// The page klp(1) and the shells' completions say what --help says, and are really used here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace klp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Words = std::vector<std::string>;
namespace fs = std::filesystem;

std::string quoted(const std::string& word) { return "'" + std::regex_replace(word, std::regex("'"), "'\\''") + "'"; }

struct Outcome {
    int code = -1;
    std::string out;
};
Outcome shell(const std::string& command) {
    Outcome outcome;
    FILE* pipe = popen(command.c_str(), "r");
    if (!pipe) return outcome;
    char part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part, pipe)) > 0;) outcome.out.append(part, n);
    const int status = pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
}
std::string klp(const std::string& arguments) {
    const Outcome o = shell(quoted(KLP_PROGRAM) + " " + arguments);
    EXPECT_EQ(o.code, 0) << arguments;
    return o.out;
}
bool there(const std::string& program) { return shell("command -v " + program).code == 0; }

// --help's own list, as people read it.
Words found(const std::string& text, const std::string& pattern) {
    Words all;
    const std::regex regex(pattern, std::regex::multiline);
    for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) all.push_back((*it)[1]);
    return all;
}
Words commands() {
    const std::string help = klp("--help");
    const size_t list = help.find("ubcommands:"), end = help.find("\n\n", list);
    return found(help.substr(list, end == std::string::npos ? end : end - list), "^  ([a-z]+)");
}
Words options_of(const std::string& command) { return found(klp(command + " --help"), "^  (?:-[a-z],)?(--[a-z-]+)"); }

struct Folder {
    fs::path path = fs::temp_directory_path() / ("klp_command_line_" + std::to_string(getpid()));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    std::string file(const std::string& name, const std::string& text = "") const {
        std::ofstream(path / name) << text;
        return path / name;
    }
};

// What bash offers behind these words; the last one is being typed.
Words completed(const Words& words) {
    std::string command = "_klp; for c in \"${COMPREPLY[@]}\"; do printf '%s\\n' \"$c\"; done";
    std::string line = "COMP_WORDS=(klp";
    for (const auto& word : words) line += " " + quoted(word);
    line += "); COMP_CWORD=" + std::to_string(words.size()) + "; ";
    const Outcome o = shell("bash --norc -c " + quoted("set -u; source <(" + quoted(KLP_PROGRAM) + " --completion bash); " + line + command) + " 2>&1");
    EXPECT_EQ(o.code, 0) << o.out;
    return found(o.out, "^(.+)$");
}

TEST(CommandLine, ThePageHasEveryCommandAndOption) {
    const std::string page = klp("--help-man");
    const Words all = commands();
    ASSERT_GT(all.size(), 8u);
    size_t at = page.find("\n.SH OPTIONS\n");
    for (const auto& name : all) {
        EXPECT_THAT(page, HasSubstr("\n.SS klp " + name + "\n"));
        const size_t begin = page.find("\n.SS klp " + name + "\n"), end = page.find("\n.S", begin + 1);
        const std::string part = page.substr(begin, end - begin);
        for (const auto& option : options_of(name)) EXPECT_THAT(part, HasSubstr("\\fB" + std::regex_replace(option, std::regex("-"), "\\-") + "\\fR")) << name;
    }
    EXPECT_NE(at, std::string::npos);
    EXPECT_THAT(page, HasSubstr(".SH EXAMPLES\n.EX\nklp "));
    EXPECT_THAT(page, HasSubstr(".SH EXIT CODES\n0 ok, 1 failure"));
}

TEST(CommandLine, ThePageIsSoundRoff) {
    const Folder folder;
    const std::string file = folder.file("klp.1", klp("--help-man"));
    if (!there("man") && !there("groff")) GTEST_SKIP() << "neither man nor groff is here";
    const Outcome o = there("man") ? shell("LC_ALL=C.UTF-8 MANROFFSEQ= MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z " + file + " 2>&1 >/dev/null")
                                   : shell("groff -ww -z -man " + file + " 2>&1");
    EXPECT_EQ(o.out, "");
    EXPECT_EQ(o.code, 0);
}

TEST(CommandLine, BashCompletesCommandsOptionsAndFiles) {
    const Folder folder;
    const std::string story = folder.file("a story.klprun"), other = folder.file("b.klprun");
    EXPECT_EQ(completed({""}), commands());
    EXPECT_THAT(completed({"be"}), ElementsAre("bench"));
    EXPECT_THAT(completed({"--plain", "-p", "info", "tok"}), ElementsAre("tokenize"));  // behind -p stands no command
    EXPECT_THAT(completed({"bench", "--dept"}), ElementsAre("--depth"));
    EXPECT_THAT(completed({"--completion", ""}), ElementsAre("bash", "zsh"));
    EXPECT_THAT(completed({"--completion", "=", "z"}), ElementsAre("zsh"));
    EXPECT_THAT(completed({"bench", "--threads", ""}), IsEmpty());  // a number
    EXPECT_THAT(completed({"bench", "--shape", "t"}), UnorderedElementsAre("tiny-spec", "tiny"));
    EXPECT_THAT(completed({"bench", "--shape", "tiny", "--dtype", "q4"}), UnorderedElementsAre("q4_0", "q4_1", "q4_k"));
    EXPECT_THAT(completed({"bench", "--shape", "tiny", "--dtype", "iq1_s"}), ElementsAre("iq1_s"));
    EXPECT_THAT(completed({"init", "--type", "iq1"}), IsEmpty());  // read and not made
    EXPECT_THAT(completed({"init", "--type", "b"}), ElementsAre("bf16"));
    EXPECT_THAT(completed({"--device", "c"}), UnorderedElementsAre("cpu", "cuda"));
    EXPECT_THAT(completed({"--system", ""}), IsEmpty());  // a text is no file
    EXPECT_THAT(completed({"replay", folder.path.string() + "/"}), UnorderedElementsAre(story, other));
    EXPECT_THAT(completed({"export", "-o", folder.path.string() + "/b"}), ElementsAre(other));
    EXPECT_THAT(completed({"--model", "=", folder.path.string() + "/a"}), ElementsAre(story));
    EXPECT_THAT(completed({"--model", "=", "x", "repl"}), ElementsAre("replay"));
}

TEST(CommandLine, BashOffersWhatHelpLists) {
    Words all = commands();
    all.insert(all.begin(), "");
    for (const auto& name : all) {
        const Words offered = completed(name.empty() ? Words{"--"} : Words{name, "--"}), listed = options_of(name);
        ASSERT_FALSE(listed.empty()) << name;
        EXPECT_EQ(std::set<std::string>(offered.begin(), offered.end()), std::set<std::string>(listed.begin(), listed.end())) << name;
    }
}

TEST(CommandLine, ZshReadsItsScript) {
    const Folder folder;
    const std::string file = folder.file("_klp", klp("--completion zsh"));
    if (!there("zsh")) GTEST_SKIP() << "zsh is not here";
    const Outcome o = shell("zsh -f -n " + file + " 2>&1 && zsh -f -c 'autoload -U compinit; compinit -u -D; source " + file + "; print $_comps[klp]' 2>&1");
    EXPECT_EQ(o.out, "_klp\n");
}

TEST(CommandLine, AnUnknownShellIsAUsageError) { EXPECT_EQ(shell(quoted(KLP_PROGRAM) + " --completion fish 2>/dev/null").code, 2); }

}  // namespace
}  // namespace klp
