#include "app/gui/frame/start_page.h"

#include <QFrame>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QVBoxLayout>

#include "app/format.h"
#include "app/gui/draw/pieces.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {

QLabel* label(const QString& text, QWidget* parent, double scale = 1, bool muted = false) {
    auto* l = new QLabel(text, parent);
    l->setWordWrap(true);
    l->setTextFormat(Qt::PlainText);
    QFont font = l->font();
    font.setPointSizeF(font.pointSizeF() * scale);
    if (scale > 1.1) font.setWeight(QFont::DemiBold);
    l->setFont(font);
    if (muted) l->setForegroundRole(QPalette::PlaceholderText);
    return l;
}

}  // namespace

StartPage::StartPage(const Machine& machine, const std::vector<RecordingInfo>& recordings, QWidget* parent) : QWidget(parent) {
    setObjectName("start-page");
    QWidget* centre = scrolling_page(this);
    auto* page = new QWidget(centre);
    page->setMaximumWidth(760);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(20, 16, 20, 16);
    column->setSpacing(12);
    column->addStretch(1);
    column->addWidget(label("See how it remembers", page, 1.8));
    column->addWidget(
        label("Three of four layers of Kimi Linear keep a memory of constant size that forgets, channel by channel, at a pace it decides token by token. "
              "Talk to a model and watch it happen.",
              page, 1, true));
    if (!recordings.empty()) {
        auto* w = door("Watch a recorded run", recordings[0].title + ". " + recordings[0].about, "Watch", false,
                       [this, file = recordings[0].file] { emit recording_asked(file); });
        auto* more = w->findChild<QVBoxLayout*>("more");
        for (size_t i = 1; i < recordings.size(); ++i) {
            auto* link = new QPushButton(recordings[i].title, w);
            link->setToolTip(recordings[i].about);
            connect(link, &QPushButton::clicked, this, [this, file = recordings[i].file] { emit recording_asked(file); });
            more->addWidget(link);
        }
        column->addWidget(w);
    }
    column->addWidget(door("Talk to the embedded model",
                           "6 million parameters, trained on two CPU cores: a toy that answers in simple words and really remembers. It runs here, now.",
                           "Talk", true, [this] { emit embedded_asked(); }));
    auto* open = door("Open a model", "A Kimi Linear checkpoint in the Hugging Face layout (config.json, safetensors, tiktoken.model), or a GGUF file.",
                      "Open…", false, [] {});
    auto* ways = new QMenu(open);
    ways->addAction("A folder…", this, &StartPage::folder_asked);
    ways->addAction("A GGUF file…", this, &StartPage::gguf_asked);
    open->findChild<QPushButton*>()->setMenu(ways);
    column->addWidget(open);
    shelf_ = new Shelf(page);
    connect(shelf_, &Shelf::model_asked, this, &StartPage::model_asked);
    connect(shelf_, &Shelf::pull_asked, this, &StartPage::pull_asked);
    column->addWidget(shelf_);
    column->addWidget(card_of(machine));
    column->addStretch(2);
    auto* row = new QHBoxLayout(centre);
    row->setContentsMargins(0, 0, 0, 0);
    row->addStretch(1);
    row->addWidget(page, 100);
    row->addStretch(1);
}

QWidget* StartPage::door(const QString& title, const QString& text, const QString& button, bool primary, std::function<void()> go) {
    auto* frame = new QFrame(this);
    frame->setObjectName("door");
    frame->setStyleSheet("QFrame#door { background: palette(base); border: 1px solid palette(mid); border-radius: 8px; }");
    auto* row = new QHBoxLayout(frame);
    row->setContentsMargins(16, 12, 16, 12);
    auto* texts = new QVBoxLayout;
    texts->setSpacing(3);
    texts->addStretch(1);
    texts->addWidget(label(title, frame, 1.2));
    texts->addWidget(label(text, frame, 1, true));
    texts->addStretch(1);
    row->addLayout(texts, 1);
    auto* buttons = new QVBoxLayout;
    buttons->setObjectName("more");
    auto* open = new QPushButton(button, frame);
    open->setAccessibleName(title);
    open->setAccessibleDescription(text);
    open->setProperty("primary", primary);
    open->setMinimumWidth(96);
    connect(open, &QPushButton::clicked, this, go);
    buttons->addStretch(1);
    buttons->addWidget(open);
    buttons->addStretch(1);
    row->addLayout(buttons);
    if (primary) setFocusProxy(open);
    return frame;
}

QWidget* StartPage::card_of(const Machine& m) {
    const auto text = [](const std::string& s) { return QString::fromStdString(s); };
    auto* frame = new QFrame(this);
    frame->setObjectName("card");
    auto* column = new QVBoxLayout(frame);
    column->setContentsMargins(16, 8, 16, 8);
    column->setSpacing(4);
    column->addWidget(label("This machine", frame, 1.2));
    column->addWidget(label(text(m.cpu + ", " + plural(m.cores, "core") + ", " + m.instructions + " instructions. " + bytes_text(m.memory.available) + " of " +
                                 bytes_text(m.memory.total) + " memory free." + (m.gpu.empty() ? "" : " Runs on the CPU: " + m.gpu + ".")),
                            frame, 1, true));
    for (const NamedShape& shape : named_shapes()) {
        if (shape.name != "kimi-linear-48b") continue;
        std::string needs;
        for (const char* type : {"bf16", "q8_0", "q4_k", "q2_k"}) {
            const int64_t bytes = needs_of(shape.config, type, 131072).total();
            needs += (needs.empty() ? "" : ", ") + std::string(type) + " " + bytes_text(bytes) + (bytes <= m.memory.available ? " (fits)" : "");
        }
        column->addWidget(label(text("Kimi-Linear-48B-A3B with 128k tokens of context needs, by how its weights are stored: " + needs + "."), frame, 1, true));
    }
    return frame;
}

}  // namespace klp::gui
