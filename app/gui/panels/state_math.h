// What can be said of one head's matrix.
#pragma once

#include <span>
#include <vector>

namespace klp::gui {

struct Spectrum {
    std::vector<float> values;  // singular values, descending; good to 1e-7 of the first
    double effective_rank = 0;  // e^H of the values' shares: 1 for a rank-one matrix, the full rank where all are alike; NaN of zeros
    int above = 0;              // values above 1 % of the first
};
// Of rows x columns numbers. By the eigenvalues of the smaller Gram matrix in double: 2 ms for 128 x 128, a third of an SVD in float.
Spectrum spectrum(std::span<const float> matrix, int rows, int columns);

double norm(std::span<const float> matrix);  // Frobenius

// The magnitude that all but the largest half percent keep below, rounded up to 1, 1.5, 2, 3, 5 or 7 times a power of ten; 0 of zeros.
float round_range(std::span<const float> values);

}  // namespace klp::gui
