// Matrices whose rows lie group by group, each group holding some rows of every part: put apart, so that each part is a matrix of its own.
#pragma once

#include <string>
#include <vector>

#include "core/files/mapped_source.h"

namespace klp {

struct GroupedPart {
    std::string name;
    struct Rows {
        int64_t first, count;  // of a group's rows
    };
    std::vector<Rows> rows;  // of q | k | v of Qwen3-Next three stretches: a part is each of them in turn, of all groups
};
// `whole` [groups * rows of a group, in] of any type whose rows are whole blocks; parts are made when somebody asks for them. An Error in words that follow the
// tensor's name: the shape is another.
Result<std::vector<MappedTensor>> put_apart(const MappedTensor& whole, int64_t groups, const std::vector<GroupedPart>& parts, const std::string& where);

// Of Qwen3-Next: q | k | v and z of a Gated DeltaNet layer, and the maps of beta and its gate. H_k groups of [K of q, K of k, r V of v, r V of z], or [r of b, r of a].
struct GroupedHeads {
    int64_t H_k = 0, H = 0, K = 0, V = 0;
    std::vector<GroupedPart> qkvz(std::string qkv, std::string z) const;
    std::vector<GroupedPart> ba(std::string b, std::string a) const;
};

}  // namespace klp
