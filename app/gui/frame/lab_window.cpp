#include "app/gui/frame/lab_window.h"

#include <QComboBox>
#include <QDir>
#include <QEvent>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QGridLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPointer>
#include <QPushButton>
#include <QSaveFile>
#include <QScreen>
#include <QSpinBox>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>
#include <system_error>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/line_chart.h"
#include "app/gui/draw/pieces.h"
#include "app/gui/draw/text.h"
#include "app/gui/draw/theme.h"
#include "app/gui/frame/lab_form.h"
#include "core/files/resources.h"
#include "core/learn/task_words.h"

namespace klp::gui {

namespace {

constexpr int kForm = 268;           // pixels of width
constexpr double kEndless = 100000;  // tokens, where the picture of half-lives ends
constexpr uint64_t kQuestion = 77;   // seed of the row that a learner can be asked

QColor colour_of(const Theme& t, size_t i) {
    const QColor own = t.series[i % t.series.size()];
    return i < t.series.size() ? own : t.dark ? own.darker(150) : own.lighter(150);
}
QString percent(double share) { return local(percent_text(share)); }
QString tokens_or_endless(double tokens) { return std::isfinite(tokens) ? local(short_number(tokens)) : Language::tr("endless"); }

}  // namespace

LabWindow::LabWindow(QWidget* parent) : QDialog(parent, Qt::Window) {
    setObjectName("lab");
    setWindowTitle(tr("Lab: rules of memory that learn"));
    resize(1180, 720);
    auto* both = new QHBoxLayout(this);
    auto* left = new QVBoxLayout;
    auto* asked = new QWidget(this);
    asked->setFixedWidth(kForm);
    auto* page = scrolling_page(asked);
    auto* inside = new QVBoxLayout(page);
    inside->setContentsMargins(0, 0, 0, 0);
    form_ = new LabForm(page);
    inside->addWidget(form_);
    left->addWidget(asked, 1);
    left->addWidget(make_buttons());
    both->addLayout(left);
    auto* right = new QVBoxLayout;
    auto* head = new QHBoxLayout;
    say_ = new QLabel(this);
    say_->setObjectName("lab-say");
    say_->setWordWrap(true);
    say_->setTextFormat(Qt::PlainText);
    say_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    head->addWidget(say_, 1);
    axis_ = new QComboBox(this);
    axis_->setObjectName("lab-axis");
    axis_->setAccessibleName(tr("Curves by"));
    axis_->addItems({tr("by step"), tr("by second")});
    axis_->setToolTip(tr("Steps compare what is learned of the same rows, seconds what it costs: those of each learner's own steps"));
    connect(axis_, &QComboBox::currentIndexChanged, this, &LabWindow::draw);
    head->addWidget(axis_);
    right->addLayout(head);
    right->addWidget(make_pictures(), 1);
    both->addLayout(right, 1);
    connect(form_, &LabForm::changed, this, [this] {
        told_.clear();
        show_state();
    });
    timer_.setInterval(100);
    connect(&timer_, &QTimer::timeout, this, &LabWindow::look);
    show_state();
    draw();
}

LabWindow::~LabWindow() = default;

QWidget* LabWindow::make_buttons() {
    auto* box = new QWidget(this);
    auto* grid = new QGridLayout(box);
    grid->setContentsMargins(0, 0, 8, 0);
    const auto button = [&](const char* name, const QString& text, auto what) {
        auto* b = new QPushButton(text, box);
        b->setObjectName(name);
        b->setAutoDefault(false);
        connect(b, &QPushButton::clicked, this, what);
        return b;
    };
    start_ = button("lab-start", tr("Start"), [this] {
        if (worker_ && seen_.phase != LabWorker::Phase::failed && seen_.phase != LabWorker::Phase::resting)
            worker_->stop();
        else
            start();
    });
    start_->setDefault(true);
    pause_ = button("lab-pause", tr("Pause"), [this] { worker_->pause(!seen_.paused); });
    more_ = button("lab-more", tr("Learn on"), [this] { worker_->more(more_steps_->value()); });
    more_->setToolTip(tr("So many steps more of each, with rates that rise and fall anew"));
    more_steps_ = new QSpinBox(box);
    more_steps_->setObjectName("lab-more-steps");
    more_steps_->setAccessibleName(tr("Steps more"));
    more_steps_->setRange(1, 1'000'000);
    more_steps_->setButtonSymbols(QAbstractSpinBox::NoButtons);
    more_steps_->setSingleStep(100);
    more_steps_->setValue(200);
    grid->addWidget(start_, 0, 0);
    grid->addWidget(pause_, 0, 1);
    grid->addWidget(more_steps_, 1, 0);
    grid->addWidget(more_, 1, 1);
    return box;
}

QWidget* LabWindow::make_pictures() {
    auto* box = new QWidget(this);
    auto* grid = new QGridLayout(box);
    grid->setContentsMargins(0, 0, 0, 0);
    const auto chart = [&](const char* name, const QString& title, int row, int column) {
        auto* c = new LineChart(box);
        c->setObjectName(name);
        c->setAccessibleName(title);
        grid->addWidget(c, row, column);
        return c;
    };
    accuracy_ = chart("lab-accuracy", tr("Answers that are right"), 0, 0);
    loss_ = chart("lab-loss", tr("Loss"), 0, 1);
    half_lives_ = chart("lab-half-lives", tr("Half-lives of gates"), 1, 0);
    auto* lower = new QWidget(box);
    auto* column = new QVBoxLayout(lower);
    column->setContentsMargins(0, 4, 0, 0);
    rows_ = new QTableView(lower);
    rows_->setObjectName("lab-learners");
    rows_->setAccessibleName(tr("Learners"));
    rows_->setSelectionBehavior(QAbstractItemView::SelectRows);
    rows_->setSelectionMode(QAbstractItemView::SingleSelection);
    rows_->verticalHeader()->hide();
    rows_->setMinimumSize(220, 96);
    model_ = new TableDataModel(this);
    rows_->setModel(model_);
    connect(rows_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, [this] {
        draw_half_lives();
        show_state();
    });
    column->addWidget(rows_, 1);
    auto* buttons = new QHBoxLayout;
    const auto button = [&](const char* name, const QString& text, const QString& tip, auto what) {
        auto* b = new QPushButton(text, lower);
        b->setObjectName(name);
        b->setToolTip(tip);
        b->setAutoDefault(false);
        connect(b, &QPushButton::clicked, this, what);
        buttons->addWidget(b);
        return b;
    };
    open_ = button("lab-open", tr("Open it"), tr("The chosen learner becomes the model of the window: it can be asked, and every lens looks into it"),
                   &LabWindow::open_learner);
    save_ = button("lab-save", tr("Save…"), tr("All numbers, as klp lab -o writes them"), &LabWindow::save_numbers);
    beside_ = button("lab-beside", tr("Lay beside…"), tr("The curves of a saved run, dashed"), [this] {
        const QString file = QFileDialog::getOpenFileName(this, tr("A result of klp lab"), QString(), tr("Results of the lab (*.json)"));
        if (file.isEmpty()) return;
        told_ = lay_beside(file);
        show_state();
    });
    buttons->addStretch(1);
    column->addLayout(buttons);
    beside_say_ = remark(lower);
    column->addWidget(beside_say_);
    grid->addWidget(lower, 1, 1);
    for (int i : {0, 1}) grid->setRowStretch(i, 1), grid->setColumnStretch(i, 1);
    return box;
}

void LabWindow::start() {
    const LabSpec spec = form_->spec();
    if (auto sound = check(spec); !sound) {
        told_ = text_of(sound.error().message);
        return show_state();
    }
    told_.clear();
    spec_ = spec, seen_ = {};
    worker_ = std::make_unique<LabWorker>(spec);
    timer_.start();
    seen_ = worker_->seen();
    draw();
    show_state();
}

void LabWindow::look() {
    if (!worker_ || worker_->version() == seen_.version) return;
    size_t looks = 0;
    for (const LabLearner& one : seen_.result.learners) looks += one.looks.size() + one.tried.size();
    seen_ = worker_->seen();
    for (const LabLearner& one : seen_.result.learners) looks -= one.looks.size() + one.tried.size();
    if (looks != 0 || seen_.phase == LabWorker::Phase::resting) draw();
    show_state();
}

QString LabWindow::said() const {
    using Phase = LabWorker::Phase;
    if (!told_.isEmpty()) return told_;
    if (!worker_) return tr("Choose a task and who is to learn it, and press Start. All learn from the same rows, in turns, step by step.");
    if (seen_.phase == Phase::failed) return text_of(one_line(seen_.error));
    const QString task = LabForm::task_text(spec_.task);
    for (const LabLearner& one : seen_.result.learners)
        if (!one.trouble.empty()) return tr("%1 stopped: %2").arg(text_of(one.mixer), text_of(one_line(one.trouble)));
    const QString steps = tr("%1 of %2 steps").arg(local(grouped(seen_.done)), local(grouped(seen_.total)));
    if (seen_.paused) return tr("%1. Paused at %2; a learner can be opened as it is now.").arg(task, steps);
    if (seen_.phase == Phase::searching) return tr("%1. Learning rates are tried: %2.").arg(task, steps);
    if (seen_.phase == Phase::learning) return tr("%1. They learn: %2.").arg(task, steps);
    std::vector<const LabLearner*> all;
    for (const LabLearner& one : seen_.result.learners)
        if (!one.looks.empty()) all.push_back(&one);
    if (all.empty()) return tr("%1. Stopped before anything was learned.").arg(task);
    const auto less = [](const LabLearner* a, const LabLearner* b) { return a->looks.back().accuracy < b->looks.back().accuracy; };
    const auto [worst, best] = std::minmax_element(all.begin(), all.end(), less);
    const QString time = local(duration_text((seen_.result.seconds + seen_.result.search_seconds) * 1e9));
    if (all.size() < 2)
        return tr("%1. After %2, %3 of the answers of %4 are right.").arg(task, time, percent((*best)->looks.back().accuracy), text_of((*best)->mixer));
    return tr("%1. After %2, %3 of the answers of %4 are right, and %5 of those of %6.")
        .arg(task, time, percent((*best)->looks.back().accuracy), text_of((*best)->mixer), percent((*worst)->looks.back().accuracy), text_of((*worst)->mixer));
}

void LabWindow::show_state() {
    using Phase = LabWorker::Phase;
    const bool runs = worker_ && (seen_.phase == Phase::searching || seen_.phase == Phase::learning), rests = worker_ && seen_.phase == Phase::resting;
    const QString text = said();
    if (say_->text() != text) say_->setText(text);
    start_->setText(runs ? tr("Stop") : tr("Start"));
    pause_->setText(seen_.paused ? tr("Go on") : tr("Pause"));
    pause_->setEnabled(runs);
    form_->setEnabled(!runs);
    more_->setEnabled(rests), more_steps_->setEnabled(rests);
    const int row = chosen();
    open_->setEnabled(!opening_ && row >= 0 && (rests || seen_.phase == Phase::learning) && !seen_.result.learners[static_cast<size_t>(row)].looks.empty());
    save_->setEnabled(worker_ && !runs && seen_.phase != Phase::failed);
}

bool LabWindow::by_seconds() const { return axis_->currentIndex() == 1; }
QString LabWindow::x_title() const { return by_seconds() ? tr("seconds of its own steps") : tr("steps"); }

double LabWindow::last_x() const {
    double last = 0;
    for (const LabResult* result : {&seen_.result, &recorded_.result})
        for (const LabLearner& one : result->learners)
            if (!one.looks.empty()) last = std::max(last, at(one.looks.back()));
    if (!by_seconds() && worker_) last = std::max(last, static_cast<double>(spec_.steps));
    return last > 0 ? last : by_seconds() ? 10 : 100;
}

void LabWindow::draw() {
    const int row = chosen();
    model_->set(table());
    fit_columns(*rows_);
    if (!seen_.result.learners.empty()) rows_->selectRow(std::max(row, 0));  // a model that is set anew has nothing chosen
    draw_curves(accuracy_, false);
    draw_curves(loss_, true);
    draw_half_lives();
}

void LabWindow::draw_curves(LineChart* chart, bool loss) {
    const Theme& t = theme_of(palette());
    double most = loss && seen_.result.learners.empty() && recorded_.result.learners.empty() ? 4 : 0.1;
    std::vector<QList<QPointF>> live, kept;
    for (const auto& [result, all] : {std::pair(&seen_.result, &live), std::pair(&recorded_.result, &kept)})
        for (const LabLearner& one : result->learners) {
            QList<QPointF>& points = all->emplace_back();
            for (const LabLook& look : one.looks) {
                points << QPointF(at(look), loss ? look.loss : look.accuracy);
                if (loss && std::isfinite(look.loss)) most = std::max(most, look.loss);
            }
        }
    chart->set_axes({x_title(), false, 0, last_x(), by_seconds() ? LineChart::Unit::number : LineChart::Unit::count},
                    {loss ? tr("loss, nats an answer") : tr("answers that are right"), false, 0, loss ? most * 1.05 : 1, LineChart::Unit::number});
    int n = 0;
    for (size_t i = 0; i < live.size(); ++i) chart->set_series(n++, text_of(seen_.result.learners[i].mixer), colour_of(t, i), live[i]);
    for (size_t i = 0; i < kept.size(); ++i) {  // of the same name in the same colour
        const std::string& name = recorded_.result.learners[i].mixer;
        const auto same = std::find_if(seen_.result.learners.begin(), seen_.result.learners.end(), [&](const LabLearner& one) { return one.mixer == name; });
        const size_t colour = same == seen_.result.learners.end() ? live.size() + i : static_cast<size_t>(same - seen_.result.learners.begin());
        chart->set_series(n++, tr("%1, recorded").arg(text_of(name)), colour_of(t, colour), kept[i], true);
    }
    chart->drop_series(n);
    std::vector<LineChart::Mark> marks;
    if (!loss && !live.empty() && seen_.result.chance > 0) marks.push_back({seen_.result.chance, tr("chance"), t.muted, true});
    chart->set_marks(std::move(marks));
    chart->set_empty(worker_ ? tr("Curves begin when the rates are found.") : QString());
}

// Half-lives of the chosen learner's gates: a tenth is shorter, half, and a tenth is longer.
void LabWindow::draw_half_lives() {
    const Theme& t = theme_of(palette());
    const int row = chosen();
    const LabLearner* one = row >= 0 ? &seen_.result.learners[static_cast<size_t>(row)] : nullptr;
    const size_t last = HalfLives::kShares.size() - 1;
    struct Line {
        size_t quantile;
        QString name;
        QColor colour;
    };
    const Line lines[] = {{0, tr("10 % are shorter"), t.muted},
                          {last / 2, tr("median"), colour_of(t, static_cast<size_t>(std::max(row, 0)))},
                          {last, tr("10 % are longer"), t.text}};
    bool gates = false;
    half_lives_->set_axes(
        {x_title(), false, 0, last_x(), by_seconds() ? LineChart::Unit::number : LineChart::Unit::count},
        {one ? tr("half-lives of %1, tokens").arg(text_of(one->mixer)) : tr("half-lives of gates, tokens"), true, 0.1, kEndless, LineChart::Unit::number});
    int n = 0;
    for (const Line& line : lines) {
        QList<QPointF> points;
        for (const LabLook& look : one ? one->looks : std::vector<LabLook>()) {
            if (look.half_lives.gates == 0) continue;
            gates = true;
            points << QPointF(at(look), std::clamp(look.half_lives.quantiles[line.quantile], 0.1, kEndless));
        }
        half_lives_->set_series(n++, line.name, line.colour, points);
    }
    half_lives_->set_empty(one && !one->looks.empty() && !gates ? tr("%1 has no gates: its memory does not fade by itself.").arg(text_of(one->mixer))
                                                                : QString());
}

TableData LabWindow::table() const {
    TableData t{{"mixer", "answers right", "loss (nats)", "steps", "90 % from step", "rate", "weights", "half-life (median, tokens)"}, {}};
    for (const LabLearner& one : seen_.result.learners) {
        std::vector<QVariant> row{text_of(one.mixer)};
        const bool begun = !one.looks.empty();
        const double none = std::nan("");
        const LabLook last = begun ? one.looks.back() : LabLook{.loss = none, .accuracy = none};
        const int64_t learned = one.learned_at();
        row.insert(
            row.end(),
            {begun ? QVariant(percent(last.accuracy)) : QVariant(none), last.loss, qlonglong(last.step),
             learned < 0 ? QVariant(none) : QVariant(qlonglong(learned)), begun || !one.tried.empty() ? one.rate : none, qlonglong(one.parameters),
             begun && last.half_lives.gates ? QVariant(tokens_or_endless(last.half_lives.quantiles[last.half_lives.quantiles.size() / 2])) : QVariant(none)});
        t.rows.push_back(std::move(row));
    }
    return t;
}

int LabWindow::chosen() const {
    const int row = rows_->selectionModel()->currentIndex().row();
    return row < static_cast<int>(seen_.result.learners.size()) ? row : -1;
}

void LabWindow::open_learner() {
    const int row = chosen();
    if (!worker_ || row < 0) return;
    const std::string& mixer = seen_.result.learners[static_cast<size_t>(row)].mixer;
    const std::filesystem::path place = data_folder() / "lab";
    std::error_code none;
    std::filesystem::create_directories(place, none);
    const std::string name = std::string(klp::name(spec_.task.kind)) + "-" + mixer;
    std::filesystem::path folder = place / name;
    for (int n = 2; std::filesystem::exists(folder, none); ++n) folder = place / (name + "-" + std::to_string(n));
    opening_ = true;
    show_state();
    const QString question = QString::fromStdString(task_question(spec_.task, kQuestion));
    worker_->save(static_cast<size_t>(row), folder.string(),
                  [self = QPointer<LabWindow>(this), path = QString::fromStdString(folder.string()), question](const std::string& error) {
                      QMetaObject::invokeMethod(qApp, [self, path, question, error = QString::fromStdString(error)] {
                          if (!self) return;
                          self->opening_ = false;
                          self->told_ = error;
                          self->show_state();
                          if (error.isEmpty()) emit self->open_asked(path, question);
                      });
                  });
}

void LabWindow::save_numbers() {
    const QString file = QFileDialog::getSaveFileName(this, tr("Save the numbers"), "lab.json", tr("Results of the lab (*.json)"));
    if (file.isEmpty()) return;
    QSaveFile out(file);
    const std::string text = lab_json(spec_, seen_.result);
    const bool written =
        out.open(QIODevice::WriteOnly) && out.write(text.data(), static_cast<qint64>(text.size())) == static_cast<qint64>(text.size()) && out.commit();
    told_ = written ? tr("Saved: %1").arg(file) : tr("%1 could not be written: %2").arg(file, out.errorString());
    show_state();
}

QString LabWindow::lay_beside(const QString& file) {
    QFile in(file);
    if (!in.open(QIODevice::ReadOnly)) return tr("%1 could not be read: %2").arg(file, in.errorString());
    const auto record = read_lab(in.readAll().toStdString(), file.toStdString());
    if (!record) return text_of(one_line(record.error().message));
    recorded_ = *record;
    beside_say_->setText(tr("Dashed: %1, seed %2, width %3, from %4")
                             .arg(LabForm::task_text(recorded_.spec.task))
                             .arg(recorded_.spec.seed)
                             .arg(recorded_.spec.width)
                             .arg(QFileInfo(file).fileName()));
    draw();
    return {};
}

void LabWindow::showEvent(QShowEvent* event) {
    QDialog::showEvent(event);
    fit_screen_soon(*this);
}

void LabWindow::changeEvent(QEvent* event) {
    QDialog::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && worker_) draw();
}

}  // namespace klp::gui
