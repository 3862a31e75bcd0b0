// One function for each format that comes from outside: any bytes in, no crash, no hang, and what is accepted holds what it promises. libFuzzer drives them in
// the `fuzz` preset; fuzz_seeds_test drives them over the seeds and simple mutations of these in every build.
#pragma once

#include <string_view>

#include "kernels/tensor.h"

namespace klp::fuzz {

void safetensors(std::string_view bytes);
void gguf(std::string_view bytes);
void gguf_model(std::string_view bytes);
void config(std::string_view bytes);
void wire(std::string_view bytes);  // the Run protocol, either way
void tokenizer(std::string_view bytes);  // a tiktoken file; after a NUL, if there is one, a tokenizer_config.json

// What a refusal says.
inline void one_sentence(std::string_view message) { KLP_CHECK(!message.empty() && message.find('\n') == message.npos && message.size() < 1000); }

}  // namespace klp::fuzz

#ifdef KLP_FUZZ
#define KLP_FUZZ_TARGET(function)                                                         \
    extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {             \
        klp::fuzz::function(std::string_view(reinterpret_cast<const char*>(data), size)); \
        return 0;                                                                         \
    }
#else
#define KLP_FUZZ_TARGET(function)
#endif
