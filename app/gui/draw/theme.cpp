#include "app/gui/draw/theme.h"

#include <QFontDatabase>
#include <QRegularExpression>
#include <QStyleFactory>
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>
#include <vector>

// The resources of a static library are found only once this was called, outside of any namespace.
static void use_resources() { Q_INIT_RESOURCE(desktop); }

namespace klp::gui {

namespace {

Theme make(bool dark) {
    Theme t;
    t.dark = dark;
    const auto c = [&](const char* on_dark, const char* on_light) { return QColor(dark ? on_dark : on_light); };
    t.window = c("#14161b", "#f3f4f7"), t.panel = c("#1a1d24", "#ffffff"), t.raised = c("#242933", "#e9ecf2"), t.border = c("#323947", "#d3d8e2");
    t.grid = c("#2a303b", "#e4e8ef"), t.text = c("#e8ebf1", "#1a1e26"), t.muted = c("#9ba5b6", "#586173"), t.accent = c("#5cb0f2", "#1666ad");
    t.hybrid = c("#35c9b4", "#0b7d78"), t.twin = c("#ff9d66", "#bd4a17"), t.third = c("#b79cf5", "#6a45bd");
    t.good = c("#6fcf8a", "#1d7a3e"), t.warn = c("#f0c05a", "#8f6200"), t.bad = c("#ff7b72", "#b3261e");
    t.series = {t.hybrid, t.twin, t.third, c("#f0c05a", "#8f6200"), c("#5cb0f2", "#1666ad"), c("#e58ab8", "#a2306c")};
    return t;
}

QColor on_accent(const Theme& t) { return t.dark ? QColor("#0d1117") : QColor("#ffffff"); }

QPalette palette_of(const Theme& t) {
    QPalette p;
    const auto both = [&](QPalette::ColorRole role, const QColor& colour, const QColor& disabled) {
        p.setColor(role, colour);
        p.setColor(QPalette::Disabled, role, disabled);
    };
    QColor faint = t.muted;
    faint.setAlphaF(0.6f);
    both(QPalette::Window, t.window, t.window), both(QPalette::Base, t.panel, t.window), both(QPalette::AlternateBase, t.raised, t.raised);
    both(QPalette::Button, t.raised, t.raised), both(QPalette::ToolTipBase, t.raised, t.raised), both(QPalette::ToolTipText, t.text, t.text);
    both(QPalette::WindowText, t.text, faint), both(QPalette::Text, t.text, faint), both(QPalette::ButtonText, t.text, faint);
    both(QPalette::BrightText, t.bad, t.bad), both(QPalette::PlaceholderText, t.muted, faint);
    both(QPalette::Highlight, t.accent, t.border), both(QPalette::HighlightedText, on_accent(t), t.muted);
    both(QPalette::Link, t.accent, faint), both(QPalette::LinkVisited, t.third, faint);
    p.setColor(QPalette::Light, t.raised.lighter(115)), p.setColor(QPalette::Midlight, t.raised), p.setColor(QPalette::Mid, t.border);
    p.setColor(QPalette::Dark, t.border.darker(115)), p.setColor(QPalette::Shadow, t.dark ? QColor("#000000") : QColor("#aab1bf"));
    return p;
}

// Fusion with quieter frames: flat buttons, round corners, thin scroll bars.
QString style_sheet(const Theme& t) {
    QString sheet = R"(
        QToolTip { color: $text; background: $raised; border: 1px solid $border; padding: 4px; }
        QMainWindow::separator { background: $window; width: 4px; height: 4px; }
        QMainWindow::separator:hover { background: $accent; }
        QTabBar::tab { padding: 6px 5px; border: 0; border-bottom: 2px solid transparent; background: transparent; color: $muted; }
        QTabBar::tab:selected { color: $text; border-bottom-color: $accent; }
        QTabBar::tab:hover { color: $text; }
        QTabBar::tab:focus { color: $accent; }
        QStatusBar::item { border: 0; }
        QToolBar { border: 0; border-bottom: 1px solid $border; background: $window; spacing: 0; padding: 0; }
        QMenuBar { background: $window; }
        QMenuBar::item { padding: 4px 8px; background: transparent; }
        QMenuBar::item:selected { background: $raised; border-radius: 4px; }
        QMenu { background: $panel; border: 1px solid $border; padding: 4px; }
        QMenu::item { padding: 5px 24px 5px 18px; border-radius: 4px; }
        QMenu::item:selected { background: $accent; color: $on_accent; }
        QMenu::item:disabled { color: $muted; }
        QMenu::separator { height: 1px; background: $border; margin: 4px 6px; }
        QToolButton, QPushButton { border: 1px solid $border; border-radius: 5px; padding: 3px 9px; background: $raised; color: $text; }
        QToolButton:hover, QPushButton:hover { border-color: $accent; }
        QToolButton:pressed, QPushButton:pressed { background: $border; }
        QToolButton:checked, QPushButton:checked { background: $accent; color: $on_accent; border-color: $accent; }
        QToolButton:focus, QPushButton:focus { border-color: $accent; }
        QToolButton:disabled, QPushButton:disabled { color: $muted; }
        QToolButton[autoRaise="true"] { background: transparent; border-color: transparent; color: $muted; padding: 3px 6px; }
        QToolButton[autoRaise="true"]:hover, QToolButton[autoRaise="true"]:focus { border-color: $border; color: $text; }
        QToolButton[autoRaise="true"]:checked { background: $accent; color: $on_accent; }
        QToolButton[popupMode="2"] { padding-right: 16px; }
        QToolButton::menu-indicator { subcontrol-position: right center; subcontrol-origin: padding; right: 4px; }
        QCheckBox::indicator { width: 12px; height: 12px; border: 1px solid $muted; border-radius: 3px; background: $panel; }
        QCheckBox::indicator:checked { background: $accent; border-color: $accent; }
        QPushButton[primary="true"] { background: $accent; color: $on_accent; border-color: $accent; font-weight: 600; }
        QPushButton[primary="true"]:focus { border: 2px solid $text; padding: 2px 8px; }
        QPushButton[primary="true"]:disabled { background: $raised; color: $muted; border-color: $border; }
        QLineEdit, QSpinBox, QDoubleSpinBox { border: 1px solid $border; border-radius: 5px; padding: 3px 5px; background: $panel; selection-background-color: $accent; selection-color: $on_accent; }
        QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus { border-color: $accent; }
        QComboBox { border: 1px solid $border; border-radius: 5px; padding: 3px 8px; background: $raised; color: $text; }
        QComboBox:hover, QComboBox:focus { border-color: $accent; }
        QComboBox::drop-down { border: 0; width: 20px; }
        QComboBox::down-arrow { image: url(:/arrow-$theme.png); width: 9px; height: 6px; }
        QComboBox:disabled { color: $muted; background: $window; }
        QComboBox QAbstractItemView { background: $panel; border: 1px solid $border; selection-background-color: $accent; selection-color: $on_accent; padding: 3px; }
        QTreeView::item, QListView::item { padding: 4px 2px; }
        QTreeView::item:hover, QListView::item:hover { background: $raised; }
        QTreeView::branch { background: transparent; }
        QTreeView::item:selected, QListView::item:selected, QTreeView::branch:selected { background: $chosen; color: $text; }
        QProgressBar { border: 0; border-radius: 4px; background: $raised; text-align: center; color: $text; }
        QProgressBar::chunk { border-radius: 4px; background: $hybrid; }
        QScrollBar:vertical { width: 10px; background: transparent; margin: 0; }
        QScrollBar:horizontal { height: 10px; background: transparent; margin: 0; }
        QScrollBar::handle { background: $border; border-radius: 4px; min-height: 28px; min-width: 28px; margin: 1px; }
        QScrollBar::handle:hover { background: $muted; }
        QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
        QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
        QTableView, QTreeView, QListView { border: 1px solid $border; border-radius: 5px; background: $panel; alternate-background-color: $window; gridline-color: $grid; }
        QHeaderView::section { background: $raised; color: $muted; border: 0; border-right: 1px solid $border; padding: 4px 6px; }
        QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }
        QDockWidget::title { background: $window; padding: 6px 8px 2px 8px; color: $muted; }
    )";
    QColor chosen = t.accent;  // mixed into the panel: a name that is chosen stays readable
    chosen = QColor::fromRgbF(0.28f * chosen.redF() + 0.72f * t.panel.redF(), 0.28f * chosen.greenF() + 0.72f * t.panel.greenF(),
                              0.28f * chosen.blueF() + 0.72f * t.panel.blueF());
    sheet.replace("$theme", t.dark ? "dark" : "light");
    sheet.replace("$chosen", chosen.name());
    const std::pair<const char*, QColor> names[] = {{"$on_accent", on_accent(t)}, {"$window", t.window}, {"$panel", t.panel}, {"$raised", t.raised},
                                                    {"$border", t.border},        {"$grid", t.grid},     {"$text", t.text},   {"$muted", t.muted},
                                                    {"$accent", t.accent},        {"$hybrid", t.hybrid}};
    for (const auto& [name, colour] : names) sheet.replace(name, colour.name());
    return sheet;
}

// A path through OKLab: lightness, chroma and hue are interpolated, so equal steps look equal. Out-of-gamut chroma is reduced.
struct Stop {
    double at, lightness, chroma, hue;
};
QRgb colour_at(double L, double C, double hue) {
    for (;; C *= 0.97) {
        const double a = C * std::cos(hue * M_PI / 180), b = C * std::sin(hue * M_PI / 180);
        const double l = std::pow(L + 0.3963377774 * a + 0.2158037573 * b, 3), m = std::pow(L - 0.1055613458 * a - 0.0638541728 * b, 3),
                     s = std::pow(L - 0.0894841775 * a - 1.2914855480 * b, 3);
        const double rgb[3] = {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
                               -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
        const bool inside = std::all_of(rgb, rgb + 3, [](double v) { return v > -1e-4 && v < 1.0001; });
        if (!inside && C > 1e-3) continue;
        const auto byte = [](double v) {
            v = std::clamp(v, 0.0, 1.0);
            return static_cast<int>(std::lround(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055)));
        };
        return qRgb(byte(rgb[0]), byte(rgb[1]), byte(rgb[2]));
    }
}
std::array<QRgb, 256> path(std::initializer_list<Stop> stops) {
    std::array<QRgb, 256> out{};
    for (int i = 0; i < 256; ++i) {
        const double x = i / 255.0;
        auto b = stops.begin() + 1;
        while (b + 1 != stops.end() && x > b->at) ++b;
        const auto a = b - 1;
        const double f = (x - a->at) / (b->at - a->at);
        out[static_cast<size_t>(i)] =
            colour_at(a->lightness + f * (b->lightness - a->lightness), a->chroma + f * (b->chroma - a->chroma), a->hue + f * (b->hue - a->hue));
    }
    return out;
}

const QPalette& started_with() {
    static const QPalette palette = QApplication::palette();
    return palette;
}

}  // namespace

const Theme& theme_of(const QPalette& palette) {
    static const Theme dark = make(true), light = make(false);
    return palette.color(QPalette::Window).lightness() < 128 ? dark : light;
}

void apply_theme(QApplication& app, ThemeChoice choice) {
    use_resources();
    const QPalette& system = started_with();
    const bool dark = choice == ThemeChoice::dark || (choice == ThemeChoice::system && system.color(QPalette::Window).lightness() < 128);
    QApplication::setStyle(QStyleFactory::create("Fusion"));
    const Theme& t = theme_of(dark ? QPalette(Qt::black) : QPalette(Qt::white));
    QApplication::setPalette(palette_of(t));
    if (QFontDatabase::families().contains("Inter") &&
        app.font().family().contains(QRegularExpression("DejaVu|Sans Serif", QRegularExpression::CaseInsensitiveOption))) {
        QFont font("Inter");
        font.setPointSizeF(app.font().pointSizeF());
        QApplication::setFont(font);
    }
    app.setStyleSheet(style_sheet(t));
}

// Under a style sheet no widget takes the program's font anew, so each gets its size: as it was, times so many. All are taken before any is set, for a widget
// that only inherits one must not be scaled twice; and parents come first, for Qt 6.8's spin boxes give their line edit what they had before.
void set_zoom(double factor) {
    static double now = 1;
    const double ratio = factor / std::exchange(now, factor);
    if (std::abs(ratio - 1) < 1e-9) return;
    std::vector<std::pair<QWidget*, double>> sized;
    const auto take = [&](const auto& self, QWidget* w) -> void {
        if (w->font().pointSizeF() > 0) sized.emplace_back(w, w->font().pointSizeF() * ratio);
        for (QObject* child : w->children())
            if (child->isWidgetType()) self(self, static_cast<QWidget*>(child));
    };
    for (QWidget* w : QApplication::allWidgets())
        if (!w->parentWidget()) take(take, w);
    QFont font = QApplication::font();
    font.setPointSizeF(font.pointSizeF() * ratio);
    QApplication::setFont(font);
    for (const auto& [w, points] : sized) {
        QFont own = w->font();
        own.setPointSizeF(points);
        w->setFont(own);
    }
}

const std::array<QRgb, 256>& sequential_map() {
    static const auto map = path({{0, .20, .07, 300}, {.25, .38, .11, 268}, {.5, .56, .10, 210}, {.75, .75, .13, 160}, {1, .95, .15, 105}});
    return map;
}

const std::array<QRgb, 256>& diverging_map(bool dark) {
    static const auto on_dark =
        path({{0, .86, .11, 225}, {.25, .60, .13, 245}, {.5, .22, .01, 260}, {.5001, .22, .01, 40}, {.75, .62, .15, 45}, {1, .90, .12, 80}});
    static const auto on_light =
        path({{0, .32, .13, 262}, {.25, .60, .12, 240}, {.5, .97, .005, 220}, {.5001, .97, .005, 60}, {.75, .68, .15, 50}, {1, .38, .13, 30}});
    return dark ? on_dark : on_light;
}

}  // namespace klp::gui
