#include "tests/source_dir.h"

std::filesystem::path source_dir() { return KLP_SOURCE_DIR; }
