#include "app/gui/panels/state_math.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace klp::gui {

Spectrum spectrum(std::span<const float> matrix, int rows, int columns) {
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::MatrixXd s = Eigen::Map<const Matrix>(matrix.data(), rows, columns).cast<double>();
    const Eigen::MatrixXd gram = rows <= columns ? Eigen::MatrixXd(s * s.transpose()) : Eigen::MatrixXd(s.transpose() * s);
    const Eigen::VectorXd squares = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(gram, Eigen::EigenvaluesOnly).eigenvalues();
    Spectrum out;
    double sum = 0, entropy = 0;
    for (auto i = squares.size() - 1; i >= 0; --i) {
        const double value = std::sqrt(std::max(0.0, squares[i]));
        out.values.push_back(static_cast<float>(value));
        sum += value;
    }
    for (float v : out.values) {
        out.above += v > 0.01f * out.values[0];
        if (v > 0) entropy -= v / sum * std::log(v / sum);
    }
    out.effective_rank = sum > 0 ? std::exp(entropy) : std::numeric_limits<double>::quiet_NaN();
    return out;
}

double norm(std::span<const float> matrix) {
    double sum = 0;
    for (float v : matrix) sum += double(v) * v;
    return std::sqrt(sum);
}

float round_range(std::span<const float> values) {
    std::vector<float> sizes;
    sizes.reserve(values.size());
    for (float v : values)
        if (std::isfinite(v)) sizes.push_back(std::abs(v));
    if (sizes.empty()) return 0;
    const auto at = sizes.begin() + static_cast<int64_t>(0.995 * static_cast<double>(sizes.size() - 1));
    std::nth_element(sizes.begin(), at, sizes.end());
    if (*at <= 0) return 0;
    const double ten = std::pow(10, std::floor(std::log10(double(*at))));
    for (double step : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0})
        if (*at <= step * ten * 1.000001) return static_cast<float>(step * ten);
    return static_cast<float>(10 * ten);
}

}  // namespace klp::gui
