#include "app/gui/frame/shelf.h"

#include <QFileDialog>
#include <QGridLayout>
#include <QLabel>
#include <QPointer>
#include <QPushButton>
#include <QThreadPool>
#include <QVBoxLayout>

#include "app/format.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/language.h"
#include "core/system.h"

namespace klp::gui {

namespace {

constexpr int kTwoRows = 420;  // px below which the buttons stand under the title
constexpr size_t kShown = 12;  // further ones are counted, and klp models lists them

QString text(const std::string& s) { return QString::fromStdString(one_line(s)); }

// Of a file its own name, of a folder its repository.
QString short_name(const FoundModel& m) {
    QString name = text(m.name.substr(m.place == "Ollama" ? 0 : m.name.find(':') + 1));
    return name.endsWith(".gguf") ? name.chopped(5) : name;
}

QString about(const FoundModel& m) {
    QStringList parts;
    for (const QString& part : {m.parameters ? local(count_text(m.parameters)) : QString(), text(m.type), local(bytes_text(m.bytes)), text(m.place)})
        if (!part.isEmpty()) parts << part;
    return parts.join(", ");
}

}  // namespace

Shelf::Shelf(QWidget* parent) : QFrame(parent) {
    setObjectName("door");
    setStyleSheet("QFrame#door { background: palette(base); border: 1px solid palette(mid); border-radius: 8px; }");
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 12, 16, 12);
    column->setSpacing(6);
    head_ = new QBoxLayout(QBoxLayout::LeftToRight);
    auto* title = new QLabel(tr("Models on this disk"), this);
    QFont font = title->font();
    font.setPointSizeF(font.pointSizeF() * 1.2);
    font.setWeight(QFont::DemiBold);
    title->setFont(font);
    head_->addWidget(title, 1);
    auto* buttons = new QHBoxLayout;
    head_->addLayout(buttons);
    const auto button = [&](const QString& name, const QString& tip, auto go) {
        auto* b = new QPushButton(name, this);
        b->setToolTip(tip);
        connect(b, &QPushButton::clicked, this, go);
        buttons->addWidget(b);
    };
    button(tr("Look in a folder…"), tr("Models in it are listed from now on"), [this] {
        const QString folder = QFileDialog::getExistingDirectory(this, tr("A folder with models in it"));
        if (folder.isEmpty()) return;
        if (const auto added = add_folder(folder.toStdString()); !added)
            say_->setText(text(added.error().message));
        else
            look();
    });
    button(tr("Pull a model…"), tr("Downloads one from the Hugging Face hub"), [this] { emit pull_asked(); });
    buttons->addStretch(1);
    column->addLayout(head_);
    say_ = new QLabel(this);
    say_->setWordWrap(true);
    say_->setForegroundRole(QPalette::PlaceholderText);
    column->addWidget(say_);
    look();
}

void Shelf::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    head_->setDirection(width() < kTwoRows ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void Shelf::look() {
    say_->setText(tr("Looking…"));
    QThreadPool::globalInstance()->start([self = QPointer<Shelf>(this)] {
        auto models = found_models();
        QMetaObject::invokeMethod(qApp, [self, models = std::move(models)] {
            if (self) self->show_models(models);
        });
    });
}

void Shelf::show_models(const std::vector<FoundModel>& models) {
    delete list_;
    list_ = new QWidget(this);
    auto* grid = new QGridLayout(list_);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(12);
    grid->setVerticalSpacing(4);
    const int64_t memory = system_memory().total;
    int row = 0;
    for (const FoundModel& m : models) {
        if (static_cast<size_t>(row) == kShown) break;
        const bool opens = m.why_not.empty();
        const auto line = [&](const QString& said) {  // cut where it is too long, and whole in its tip
            auto* figure = new Figure(list_, /*grows=*/false);
            figure->setText(said);
            return figure;
        };
        const bool large = opens && memory > 0 && m.bytes > memory;
        auto* name = line(short_name(m));
        name->setToolTip(text(m.name) + "\n" + QString::fromStdString(m.path.string()));
        name->setEnabled(opens);
        auto* what = line(!opens ? text(m.why_not) : large ? tr("%1; runs from the disk, slowly").arg(about(m)) : about(m));
        what->setToolTip(what->text());
        what->setForegroundRole(QPalette::PlaceholderText);
        auto* open = new QPushButton(tr("Open"), list_);
        open->setEnabled(opens);
        open->setAccessibleName(tr("Open %1").arg(text(m.name)));
        connect(open, &QPushButton::clicked, this, [this, path = QString::fromStdString(m.path.string())] { emit model_asked(path); });
        grid->addWidget(name, row, 0);
        grid->addWidget(what, row, 1);
        grid->addWidget(open, row, 2);
        ++row;
    }
    grid->setColumnStretch(0, 3);
    grid->setColumnStretch(1, 4);
    static_cast<QVBoxLayout*>(layout())->addWidget(list_);
    list_->setVisible(row > 0);
    const size_t more = models.size() - static_cast<size_t>(row);
    say_->setText(models.empty() ? tr("None yet, in the folders of Hugging Face, LM Studio, llama.cpp, Ollama and this program.")
                  : more > 0     ? Language::tr("and %Ln other(s): klp models lists them all", nullptr, static_cast<int64_t>(more))
                                 : QString());
    say_->setVisible(!say_->text().isEmpty());
}

}  // namespace klp::gui
