// Every layer there is. The classes live in layers/*.cpp.
#pragma once

#include "core/model/layer.h"

namespace klp {

std::unique_ptr<TokenMixer> make_kda(int layer, Loader& load);             // layers/kda.cpp
std::unique_ptr<TokenMixer> make_mla(int layer, Loader& load);             // layers/mla.cpp
std::unique_ptr<TokenMixer> make_gated_deltanet(int layer, Loader& load);  // layers/kda.cpp
std::unique_ptr<TokenMixer> make_full_attention(int layer, Loader& load);  // layers/attention.cpp

}  // namespace klp
