#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <sstream>
#include <string_view>
#include <vector>

namespace klp {

namespace {

using Words = std::vector<std::string>;

enum class Takes { none, number, words, text, file };

// An option or a positional as all three forms want it.
struct Entry {
    Words names;  // with dashes, the short ones first; none: a positional
    std::string name, about;
    Takes value = Takes::none;
    std::string type;  // of a file: "file", "dir", "model"
    Words words;       // all that it may be
    bool required = false;
};

struct Verb {
    std::string name, about;  // "": klp itself
    std::vector<Entry> entries;
};

std::string joined(const Words& words, const char* between) {
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : between) + word;
    return all;
}

Words split(const std::string& text, char at) {
    Words parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, at);) parts.push_back(part);
    return parts;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return text;
}

Entry entry(const CLI::Option& option) {
    Entry e;
    for (const std::string& name : option.get_snames()) e.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) e.names.push_back("--" + name);
    e.name = option.get_positional() ? option.get_name(true) : "";
    e.about = option.get_description();
    e.required = option.get_required();
    if (option.get_items_expected_max() == 0) return e;
    if (!option.get_default_str().empty()) e.about += " (default: " + option.get_default_str() + ")";
    const std::string type = option.get_type_name();  // such as INT, or TEXT:{bash,zsh}
    const std::string kind = type.substr(0, type.find(':'));
    e.value = kind == "INT" || kind == "UINT" || kind == "FLOAT"   ? Takes::number
              : kind == "FILE" || kind == "DIR" || kind == "MODEL" ? Takes::file
                                                                   : Takes::text;
    if (e.value == Takes::file) std::transform(kind.begin(), kind.end(), std::back_inserter(e.type), [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    if (const size_t open = type.find('{'), close = type.find('}'); open < close && close != std::string::npos) {
        e.value = Takes::words;
        e.words = split(type.substr(open + 1, close - open - 1), ',');
    }
    return e;
}

Verb command(const CLI::App& app, const std::string& name) {
    Verb c{name, app.get_description(), {}};
    for (const CLI::Option* option : app.get_options())
        if (!option->get_group().empty()) c.entries.push_back(entry(*option));
    return c;
}

// klp itself, then its commands.
std::vector<Verb> commands(const CLI::App& app) {
    std::vector<Verb> all{command(app, "")};
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) all.push_back(command(*sub, sub->get_name()));
    return all;
}

// --- roff -----------------------------------------------------------------------------------------------------------

std::string roff(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '\\')
            safe += "\\e";
        else if (c == '-')
            safe += "\\-";
        else if ((c == '.' || c == '\'') && (safe.empty() || safe.back() == '\n'))
            safe += std::string("\\&") + c;
        else
            safe += c;
    }
    return safe;
}

std::string bold(const std::string& text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + roff(text) + "\\fR"; }

std::string roff(const Verb& command) {
    std::string text;
    for (const Entry& e : command.entries) {
        std::string head;
        for (const std::string& name : e.names) head += (head.empty() ? "" : ", ") + bold(name);
        if (head.empty()) head = italic(e.name);
        if (!e.names.empty() && e.value != Takes::none)
            head += " " + (e.value == Takes::words ? joined(e.words, ", ")
                                                   : italic(e.value == Takes::number ? "number"
                                                            : e.value == Takes::file ? e.type
                                                                                     : "text"));
        text += ".TP\n" + head + "\n" + roff(e.about) + "\n";
    }
    return text;
}

// "Head:" and what stands indented under it is a section of examples; "Head: text" one of text.
std::string sections(const std::string& footer) {
    std::string text;
    bool example = false;
    const auto end_example = [&] {
        if (example) text += ".EE\n";
        example = false;
    };
    for (const std::string& line : split(footer, '\n')) {
        const size_t colon = line.find(':');
        if (line.empty() || line[0] == ' ' || colon == std::string::npos) {
            text += roff(line.substr(std::min(line.find_first_not_of(' '), line.size()))) + "\n";
            continue;
        }
        end_example();
        text += ".SH " + roff(upper(line.substr(0, colon))) + "\n";
        if (colon + 1 == line.size())
            text += ".EX\n", example = true;
        else
            text += roff(line.substr(line.find_first_not_of(' ', colon + 1))) + "\n";
    }
    end_example();
    return text;
}

// --- shells -----------------------------------------------------------------------------------------------------------

std::string quoted(const std::string& text) {
    std::string safe = "'";
    for (const char c : text) safe += c == '\'' ? "'\\''" : std::string(1, c);
    return safe + "'";
}

Words names_of(const Verb& command, Takes value) {
    Words names;
    for (const Entry& e : command.entries)
        if (e.value == value) names.insert(names.end(), e.names.begin(), e.names.end());
    return names;
}

// In a case of zsh's _arguments: brackets and colons have a meaning of their own.
std::string zsh_text(const std::string& text) {
    std::string safe;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == ':' || c == '\\') safe += '\\';
        safe += c;
    }
    return safe;
}

std::string zsh(const Verb& command) {
    std::string text;
    for (const Entry& e : command.entries) {
        const std::string action = e.value == Takes::none     ? ""
                                   : e.value == Takes::words  ? ":value:(" + joined(e.words, " ") + ")"
                                   : e.value == Takes::number ? ":number: "
                                   : e.value == Takes::text   ? ":text: "
                                                              : ":" + e.type + ":_files";
        if (!e.name.empty()) text += " \\\n            " + quoted(":" + zsh_text(e.name) + (e.value == Takes::file ? ":_files" : ": "));
        // What was said needs no second offer, under none of its names.
        for (const std::string& name : e.names)
            text += " \\\n            " + quoted("(" + joined(e.names, " ") + ")" + name + (e.value != Takes::none && name.size() > 2 ? "=" : "") + "[" +
                                                 zsh_text(e.about) + "]" + action);
    }
    return text;
}

}  // namespace

std::string man_page(const CLI::App& app, const std::string& version) {
    const std::vector<Verb> all = commands(app);
    std::string text = ".TH KLP 1 \"\" " + quoted(version) + " \"User Commands\"\n";
    std::replace(text.begin(), text.end(), '\'', '"');
    text += ".SH NAME\nklp \\- talk to a Kimi Linear model and watch its memory work\n.SH SYNOPSIS\n.B klp\n[\\fIoptions\\fR]\n";
    for (size_t i = 1; i < all.size(); ++i) {
        text += ".br\n.B klp " + roff(all[i].name) + "\n[\\fIoptions\\fR]";
        for (const Entry& e : all[i].entries)
            if (e.names.empty()) text += e.required ? " " + italic(e.name) : " [" + italic(e.name) + "]";
        text += "\n";
    }
    text += ".SH DESCRIPTION\n" + roff(all[0].about) + "\n.SH OPTIONS\n" + roff(all[0]) + ".SH COMMANDS\n";
    for (size_t i = 1; i < all.size(); ++i) text += ".SS klp " + roff(all[i].name) + "\n" + roff(all[i].about) + "\n" + roff(all[i]);
    return text + sections(app.get_footer());
}

std::string bash_completion(const CLI::App& app) {
    const std::vector<Verb> all = commands(app);
    Words names;
    for (const Verb& c : all)
        if (!c.name.empty()) names.push_back(c.name);
    Words valued;  // of klp itself: the word behind is no command
    for (const Takes value : {Takes::number, Takes::words, Takes::text, Takes::file})
        for (const std::string& name : names_of(all[0], value)) valued.push_back(name);

    std::string text =
        "# bash completion of klp, made by: klp --completion bash\n"
        "_klp() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= options= words= i\n"
        "    # bash cuts --name=value in three\n"
        "    if [[ $word == = ]]; then\n"
        "        word=\n"
        "    elif [[ $before == = ]]; then\n"
        "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
        "    fi\n"
        "    for ((i = 1; i < COMP_CWORD; ++i)); do\n"
        "        case ${COMP_WORDS[i]} in\n"
        "        " +
        joined(valued, "|") +
        ") if [[ ${COMP_WORDS[i+1]} == = ]]; then ((i += 2)); else ((++i)); fi ;;\n"
        "        " +
        joined(names, "|") +
        ") command=${COMP_WORDS[i]}; break ;;\n"
        "        esac\n"
        "    done\n"
        "    COMPREPLY=()\n"
        "    case $command in\n";
    for (const Verb& c : all) {
        Words options;
        for (const Entry& e : c.entries) options.insert(options.end(), e.names.begin(), e.names.end());
        text += "    " + (c.name.empty() ? "''" : c.name) + ")\n        options=" + quoted(joined(options, " ")) + "\n";
        if (c.name.empty()) text += "        words=" + quoted(joined(names, " ")) + "\n";
        text += "        case $before in\n";
        Words free = names_of(c, Takes::number);  // what nobody can offer
        for (const std::string& name : names_of(c, Takes::text)) free.push_back(name);
        if (!free.empty()) text += "        " + joined(free, "|") + ") return ;;\n";
        for (const Entry& e : c.entries)
            if (e.value == Takes::words && !e.names.empty())
                text +=
                    "        " + joined(e.names, "|") + ") mapfile -t COMPREPLY < <(compgen -W " + quoted(joined(e.words, " ")) + " -- \"$word\"); return ;;\n";
        if (const Words files = names_of(c, Takes::file); !files.empty()) text += "        " + joined(files, "|") + ") options= words= ;;\n";
        text += "        esac\n        ;;\n";
    }
    return text +
           "    esac\n"
           "    if [[ $word == -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
           "        return\n"
           "    fi\n"
           "    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
           "    if [[ ${#COMPREPLY[@]} -eq 0 ]]; then\n"
           "        compopt -o filenames 2>/dev/null\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
           "    fi\n"
           "}\n"
           "complete -F _klp klp\n";
}

std::string zsh_completion(const CLI::App& app) {
    const std::vector<Verb> all = commands(app);
    std::string text =
        "#compdef klp\n"
        "# zsh completion of klp, made by: klp --completion zsh\n"
        "_klp() {\n"
        "    local curcontext=$curcontext state line\n"
        "    local -a commands\n"
        "    commands=(\n";
    for (size_t i = 1; i < all.size(); ++i) text += "        " + quoted(all[i].name + ":" + all[i].about) + "\n";
    text += "    )\n    _arguments -C" + zsh(all[0]) +
            " \\\n            '1: :->command' '*:: :->rest'\n"
            "    case $state in\n"
            "    command) _describe command commands ;;\n"
            "    rest)\n"
            "        case $line[1] in\n";
    for (size_t i = 1; i < all.size(); ++i) text += "        " + all[i].name + ")\n            _arguments" + zsh(all[i]) + " ;;\n";
    return text +
           "        esac\n"
           "        ;;\n"
           "    esac\n"
           "}\n"
           "if [[ $funcstack[1] == _klp ]]; then _klp \"$@\"; else compdef _klp klp; fi\n";
}

}  // namespace klp
