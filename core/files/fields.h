// Fields of a config.json, read with a sentence for each thing that is wrong.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "core/files/json.h"

namespace klp {

using Names = std::initializer_list<const char*>;  // spellings of one field, the vendor's first

// Fields of one JSON object. The first thing that is wrong is kept in `error` as a sentence; after it every answer is a default.
class Fields {
public:
    Fields(const nlohmann::json& object, std::string file, std::string prefix, std::string& error)
        : object_(object), file_(std::move(file)), prefix_(std::move(prefix)), error_(error) {}

    // The value under the first spelling that is there and not null.
    const nlohmann::json* find(Names names) const {
        for (const char* name : names)
            if (auto it = object_.find(name); it != object_.end() && !it->is_null()) return &*it;
        return nullptr;
    }
    bool has(const char* name) const { return find({name}) != nullptr; }

    int64_t integer(Names names, int64_t low, int64_t high, std::optional<int64_t> otherwise = {}) {
        const nlohmann::json* v = find(names);
        if (!v && !otherwise) wrong(names, "is missing");
        return v ? whole(*v, names, low, high) : otherwise.value_or(low);
    }
    int64_t whole(const nlohmann::json& v, Names names, int64_t low, int64_t high) {
        if (!v.is_number_integer()) return wrong(names, "is " + said(v) + " where a whole number belongs"), low;
        const bool fits = v.is_number_unsigned() ? v.get<uint64_t>() <= static_cast<uint64_t>(high) && static_cast<int64_t>(v.get<uint64_t>()) >= low
                                                 : v.get<int64_t>() >= low && v.get<int64_t>() <= high;
        if (!fits) return wrong(names, "is " + v.dump() + ", which is not in " + std::to_string(low) + ".." + std::to_string(high)), low;
        return v.get<int64_t>();
    }
    float number(Names names, double low, double high, float otherwise) {
        const nlohmann::json* v = find(names);
        if (!v) return otherwise;
        if (!v->is_number()) return wrong(names, "is " + said(*v) + " where a number belongs"), otherwise;
        const double d = v->get<double>();
        if (!(d >= low && d <= high))
            return wrong(names, "is " + v->dump() + ", which is not in " + nlohmann::json(low).dump() + ".." + nlohmann::json(high).dump()), otherwise;
        return static_cast<float>(d);
    }
    bool flag(Names names, bool otherwise) {
        const nlohmann::json* v = find(names);
        if (v && !v->is_boolean()) return wrong(names, "is " + said(*v) + " where true or false belongs"), otherwise;
        return v ? v->get<bool>() : otherwise;
    }
    std::string text(Names names, const std::string& otherwise) {
        const nlohmann::json* v = find(names);
        if (v && !v->is_string()) return wrong(names, "is " + said(*v) + " where a text belongs"), otherwise;
        return v ? v->get<std::string>() : otherwise;
    }
    const nlohmann::json::array_t* list(Names names) {
        const nlohmann::json* v = find(names);
        if (v && !v->is_array()) wrong(names, "is " + said(*v) + " where a list belongs");
        return v && v->is_array() ? v->get_ptr<const nlohmann::json::array_t*>() : nullptr;
    }
    // What this program does not build: any value but null, false, 0 and `off` is refused.
    void refuse(Names names, const nlohmann::json& off = nullptr) {
        const nlohmann::json* v = find(names);
        if (v && *v != off && *v != nlohmann::json(false) && *v != nlohmann::json(0)) wrong(names, "is " + said(*v) + ", which this program does not have");
    }

    // An object inside this one; nothing where it is absent, and an error where it is something else.
    std::optional<Fields> object(const char* name) {
        const nlohmann::json* v = find({name});
        if (v && !v->is_object()) wrong({name}, "is " + said(*v) + " where an object belongs");
        return v && v->is_object() ? std::optional<Fields>(std::in_place, *v, file_, prefix_ + name + ".", error_) : std::nullopt;
    }

    void wrong(Names names, const std::string& what) {
        const char* name = *names.begin();
        for (const char* n : names)
            if (object_.contains(n)) {
                name = n;
                break;
            }
        if (error_.empty()) error_ = file_ + ": " + prefix_ + name + " " + what;
    }

    bool good() const { return error_.empty(); }

    static std::string said(const nlohmann::json& v) {
        if (v.is_object()) return "an object";
        if (v.is_array()) return "a list";
        if (v.is_string()) return in_quotes(v.get_ref<const std::string&>());
        return v.dump();
    }

private:
    const nlohmann::json& object_;
    std::string file_, prefix_;
    std::string& error_;
};

}  // namespace klp
