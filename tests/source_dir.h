#pragma once

#include <filesystem>

// The checkout: golden files, seeds and the demo model lie in it.
std::filesystem::path source_dir();
