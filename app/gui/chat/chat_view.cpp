#include "app/gui/chat/chat_view.h"

#include <QActionGroup>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QStackedWidget>
#include <QToolButton>

#include "app/format.h"
#include "app/gui/chat/sampling.h"
#include "app/gui/chat/tint_key.h"
#include "app/gui/draw/figure.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

namespace {
constexpr const char* kToolsExample = R"([{"type": "function", "function": {"name": "ping", "description": "…", "parameters": {…}}}])";

QString text(const std::string& s) { return QString::fromStdString(s); }
}  // namespace

ChatView::ChatView(Session& session, Chats& chats, QWidget* parent) : QWidget(parent), session_(session), chats_(chats) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(6);

    auto* head = new QHBoxLayout;
    head->setContentsMargins(4, 0, 4, 0);
    title_ = new Figure(this, /*grows=*/false);
    title_->setObjectName("chat-title");
    QFont bold = font();
    bold.setBold(true);
    title_->setFont(bold);
    head->addWidget(title_, 1);
    turns_ = new QLabel(this);
    turns_->setForegroundRole(QPalette::PlaceholderText);
    head->addWidget(turns_);
    system_button_ = new QToolButton(this);
    system_button_->setObjectName("system-button");
    system_button_->setCheckable(true);
    system_button_->setAutoRaise(true);
    system_button_->setToolTip(tr("What the model is told before the conversation"));
    head->addWidget(system_button_);
    tools_button_ = new QToolButton(this);
    tools_button_->setObjectName("tools-button");
    tools_button_->setCheckable(true);
    tools_button_->setAutoRaise(true);
    tools_button_->setToolTip(tr("What the model may call; you say what a call returns"));
    head->addWidget(tools_button_);
    tints_ = new Tints(chats, this);
    head->addWidget(make_tint_button());
    column->addLayout(head);
    column->addWidget(new TintKey(*tints_, this));
    system_ = new QPlainTextEdit(this);
    system_->setObjectName("system");
    system_->setAccessibleName(tr("System prompt"));
    system_->setPlaceholderText(tr("What the model is told before the conversation, such as: Answer in one sentence."));
    system_->setTabChangesFocus(true);
    system_->setFixedHeight(4 * fontMetrics().lineSpacing() + 12);
    system_->hide();
    column->addWidget(system_);
    system_->installEventFilter(this);
    connect(system_button_, &QToolButton::toggled, this, [this](bool on) {
        system_->setVisible(on);
        if (on)
            system_->setFocus();
        else
            chats_.set_system(system_->toPlainText());
    });

    tools_ = new QPlainTextEdit(this);
    tools_->setObjectName("tools");
    tools_->setAccessibleName(tr("Tools"));
    tools_->setPlaceholderText(tr("The tools that the model may call, as OpenAI's API has them:") + "\n" + kToolsExample);
    tools_->setTabChangesFocus(true);
    tools_->setFixedHeight(6 * fontMetrics().lineSpacing() + 12);
    tools_->hide();
    column->addWidget(tools_);
    tools_->installEventFilter(this);
    connect(tools_button_, &QToolButton::toggled, this, [this](bool on) {
        tools_->setVisible(on);
        if (on)
            tools_->setFocus();
        else
            take_tools();
    });

    make_find(column);
    pages_ = new QStackedWidget(this);
    messages_ = new MessageList(chats, pages_);
    messages_->set_tints(tints_);
    pages_->addWidget(messages_);
    column->addWidget(pages_, 1);

    door_ = new QWidget(this);
    door_->setObjectName("door");
    auto* door = new QHBoxLayout(door_);
    door->setContentsMargins(6, 0, 0, 0);
    door_text_ = new QLabel(door_);
    door_text_->setWordWrap(true);
    door->addWidget(door_text_, 1);
    const auto way = [&](const QString& name, const char* id, std::function<void()> what) {
        auto* b = new QPushButton(name, door_);
        b->setObjectName(id);
        b->setAccessibleName(name);
        b->setAutoDefault(false);
        connect(b, &QPushButton::clicked, this, [what] { what(); });
        door->addWidget(b);
        return b;
    };
    const auto load = [this](const char* device) {
        LoadModel load;
        load.model = chats_.last_model().value_or(QString()).toStdString(), load.device = device;
        session_.post(load);
    };
    on_cpu_ = way(tr("Load it on the CPU"), "door-cpu", [load] { load("cpu"); });
    again_ = way(tr("Load it again"), "door-again", [load] { load("auto"); });
    embedded_ = way(tr("Load the embedded model"), "door-embedded", [this] { emit embedded_asked(); });
    open_ = way(tr("Open a folder…"), "door-open", [this] { emit open_asked(); });
    column->addWidget(door_);

    full_ = new QWidget(this);
    full_->setObjectName("full");
    auto* full = new QHBoxLayout(full_);
    full->setContentsMargins(6, 0, 0, 0);
    full_text_ = new QLabel(full_);
    full_text_->setWordWrap(true);
    full->addWidget(full_text_, 1);
    const auto way_on = [&](const QString& name, const char* id, const QString& tip, std::function<void()> what) {
        auto* b = new QPushButton(name, full_);
        b->setObjectName(id);
        b->setAccessibleName(name);
        b->setToolTip(tip);
        b->setAutoDefault(false);
        connect(b, &QPushButton::clicked, this, [what] { what(); });
        full->addWidget(b);
        return b;
    };
    roll_ =
        way_on(tr("Roll on"), "full-roll",
               tr("The oldest tokens are dropped from the latent cache as new ones come. The KDA states, which have seen everything, go on; attention is exact "
                  "over what is left"),
               [this] { chats_.set_on_full(OnFull::roll); });
    way_on(tr("Sum up"), "full-summarise", tr("The model sums the talk up and goes on from that and the last exchange. Nothing is removed from the chat"),
           [this] { chats_.set_on_full(OnFull::summarise); });
    way_on(tr("New chat"), "full-new", tr("This one stays as it is"), [this] { chats_.new_chat(); });
    column->addWidget(full_);

    composer_ = new Composer(chats, this);
    sampling_ = new SamplingButton(chats, {}, composer_);
    composer_->tools()->addWidget(sampling_);
    column->addWidget(composer_);

    connect(messages_, &MessageList::edit_asked, composer_, &Composer::edit);
    connect(&chats_, &Chats::line_changed, this, &ChatView::refresh_line);
    connect(&chats_, &Chats::grew, messages_, &MessageList::grow);
    connect(&chats_, &Chats::message_changed, messages_, &MessageList::refresh);
    connect(&chats_, &Chats::state_changed, this, [this] {
        messages_->refresh(0);
        refresh_door();
        refresh_full();
    });
    connect(&chats_, &Chats::info_changed, this, &ChatView::refresh_info);
    connect(&session, &Session::card_changed, this, [this] {
        if (session_.live()) focus_composer();
    });
    refresh_line();
    refresh_info();
    refresh_door();
}

QToolButton* ChatView::make_tint_button() {
    auto* button = new QToolButton(this);
    button->setObjectName("tint-button");
    button->setText(tr("Tint"));
    button->setToolTip(tr("Colour the words by a number of their tokens"));
    button->setAutoRaise(true);
    button->setPopupMode(QToolButton::InstantPopup);
    auto* menu = new QMenu(button);
    menu->setAccessibleName(tr("What the words are coloured by"));
    auto* group = new QActionGroup(menu);
    const std::pair<Tint, QString> tints[] = {{Tint::none, tr("&Nothing")},
                                              {Tint::surprise, tr("&Surprise")},
                                              {Tint::update, tr("&Update norm, median of all heads")},
                                              {Tint::update_of_head, tr("Update norm of the chosen &head")},
                                              {Tint::left, tr("What is &left in the chosen head")},
                                              {Tint::apart, tr("&Difference from the other branch")}};
    for (const auto& [tint, name] : tints) {
        QAction* action = menu->addAction(name);
        action->setCheckable(true);
        action->setChecked(tint == Tint::none);
        group->addAction(action);
        connect(action, &QAction::triggered, this, [this, tint = tint, button] {
            tints_->choose(tint);
            button->setText(tint == Tint::none ? tr("Tint") : tr("Tint  •"));
        });
    }
    button->setMenu(menu);
    return button;
}

// A text in the messages that are shown: Enter goes to the next place, Shift+Enter to the one before, Esc closes.
void ChatView::make_find(QVBoxLayout* column) {
    find_bar_ = new QWidget(this);
    find_bar_->setObjectName("find-bar");
    auto* row = new QHBoxLayout(find_bar_);
    row->setContentsMargins(4, 0, 4, 0);
    find_ = new QLineEdit(find_bar_);
    find_->setObjectName("find");
    find_->setPlaceholderText(tr("Find in this chat"));
    find_->setAccessibleName(tr("Find in this chat"));
    find_->setClearButtonEnabled(true);
    find_->installEventFilter(this);
    row->addWidget(find_, 1);
    found_ = new QLabel(find_bar_);
    found_->setObjectName("found");
    found_->setForegroundRole(QPalette::PlaceholderText);
    row->addWidget(found_);
    const auto button = [&](Qt::ArrowType arrow, const QString& name, const QString& tip, std::function<void()> what) {
        auto* b = new QToolButton(find_bar_);
        if (arrow == Qt::NoArrow)
            b->setText(tr("Close"));
        else
            b->setArrowType(arrow);
        b->setAutoRaise(true);
        b->setAccessibleName(name);
        b->setToolTip(tip);
        connect(b, &QToolButton::clicked, this, [what] { what(); });
        row->addWidget(b);
    };
    button(Qt::UpArrow, tr("Previous place"), tr("Previous place (Shift+Enter)"), [this] { find(-1); });
    button(Qt::DownArrow, tr("Next place"), tr("Next place (Enter)"), [this] { find(1); });
    button(Qt::NoArrow, tr("Close the search"), tr("Close the search (Esc)"), [this] {
        find_bar_->hide();
        find(0);
    });
    find_bar_->hide();
    column->addWidget(find_bar_);
    connect(find_, &QLineEdit::textChanged, this, [this] {
        found_at_ = 0;
        find(0);
    });
}

void ChatView::show_find() {
    find_bar_->show();
    find_->setFocus();
    find_->selectAll();
    find(0);
}

void ChatView::find(int by) {
    const QString what = find_bar_->isVisibleTo(this) ? find_->text() : QString();
    if (found_all_ > 0) found_at_ = ((found_at_ + by) % found_all_ + found_all_) % found_all_;
    found_all_ = messages_->find(what, found_at_);
    found_->setText(what.isEmpty() ? QString() : found_all_ == 0 ? tr("not found") : tr("%1 of %2").arg(found_at_ + 1).arg(found_all_));
}

bool ChatView::eventFilter(QObject* watched, QEvent* event) {
    if (watched == find_ && (event->type() == QEvent::KeyPress || event->type() == QEvent::ShortcutOverride)) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter, esc = key->key() == Qt::Key_Escape;
        if (enter || esc) {
            event->accept();
            if (event->type() == QEvent::ShortcutOverride) return true;
            if (enter) find(key->modifiers() & Qt::ShiftModifier ? -1 : 1);
            if (esc) {
                find_bar_->hide();
                find(0);
                focus_composer();
            }
            return true;
        }
    }
    if (watched == system_ && event->type() == QEvent::FocusOut) chats_.set_system(system_->toPlainText());
    if (watched == tools_ && event->type() == QEvent::FocusOut) take_tools();
    return QWidget::eventFilter(watched, event);
}

// What cannot be read stays in the field, to be mended.
void ChatView::take_tools() {
    if (const QString wrong = chats_.set_tools(tools_->toPlainText()); !wrong.isEmpty())
        session_.say(tr("The tools are not what they were: %1.").arg(wrong), tr("Mend the text, or empty it."), false);
}

void ChatView::lend_composer(QVBoxLayout& to) {
    layout()->removeWidget(composer_);
    to.addWidget(composer_);
}

void ChatView::take_composer() { static_cast<QVBoxLayout*>(layout())->addWidget(composer_); }

void ChatView::set_start_page(QWidget* page) {
    start_page_ = page;
    pages_->addWidget(page);
    refresh_line();
}

void ChatView::set_starters(QWidget* page) {
    starters_ = page;
    pages_->addWidget(page);
    refresh_door();
}

void ChatView::refresh_line() {
    messages_->set_line();
    if (find_bar_->isVisibleTo(this)) found_all_ = messages_->find(find_->text(), -1), found_at_ = 0;
    refresh_door();
    refresh_full();
    int turns = 0;
    for (int id : chats_.chat().line()) turns += chats_.chat().message(id).role == "user";
    turns_->setText(turns > 0 ? Language::tr("%Ln turn(s)", nullptr, turns) : QString());
}

void ChatView::refresh_info() {
    const ChatInfo& info = chats_.chat().info();
    title_->setText(info.title.empty() ? tr("New chat") : text(info.title));
    title_->setToolTip(title_->text());
    title_->setAccessibleName(tr("Title of the chat"));
    if (!system_->hasFocus() || !system_->isVisible()) {
        if (system_->toPlainText() != text(info.system)) system_->setPlainText(text(info.system));
    }
    system_button_->setText(info.system.empty() ? tr("System prompt") : tr("System prompt  •"));
    system_button_->setAccessibleName(info.system.empty() ? tr("System prompt: none") : tr("System prompt: set"));
    system_->setReadOnly(chats_.recorded());
    if (!tools_->hasFocus() || !tools_->isVisible()) {
        if (tools_->toPlainText().trimmed() != text(info.tools)) tools_->setPlainText(text(info.tools));
    }
    tools_button_->setText(info.tools.empty() ? tr("Tools") : tr("Tools  •"));
    tools_button_->setAccessibleName(info.tools.empty() ? tr("Tools: none") : tr("Tools: declared"));
    tools_->setReadOnly(chats_.recorded());
}

void ChatView::choose_page() {
    const bool empty = chats_.chat().tip() == 0 && chats_.chat().children(0).empty() && !chats_.recorded();
    QWidget* page = !empty ? nullptr : session_.card() ? starters_ : start_page_;
    pages_->setCurrentWidget(page ? page : messages_);
}

void ChatView::refresh_full() {
    const bool full = chats_.full();
    full_->setVisible(full);
    if (!full) return;
    full_text_->setText(tr("The context of %1 is full.").arg(tokens_text(session_.card()->context)));
    roll_->setEnabled(chats_.can_roll());
    if (!chats_.can_roll()) roll_->setToolTip(tr("This model's attention rotates keys by their positions, so what is left of its cache cannot be moved up"));
}

// No model: the talk can be read, and this is the way to go on with it.
void ChatView::refresh_door() {
    choose_page();
    const bool failed = chats_.device_failed(), known = chats_.last_model().has_value(), waits = chats_.waits_for_model() && chats_.loading();
    door_->setVisible(waits || (!session_.card() && !chats_.loading() && (failed || !at_start())));
    door_text_->setText(waits    ? tr("The model is loading; then it answers.")
                        : failed ? tr("The device failed. What was said is kept; the model is not loaded any more.")
                                 : tr("No model is loaded. A message loads one and is answered."));
    on_cpu_->setVisible(failed && !waits);
    again_->setVisible(known && !waits);
    embedded_->setVisible(!failed && !known && !waits);
    open_->setVisible(!failed && !waits);
}

int ChatView::last(const char* role) const {
    const std::vector<int> line = chats_.chat().line();
    for (auto id = line.rbegin(); id != line.rend(); ++id)
        if (chats_.chat().message(*id).role == role) return *id;
    return 0;
}

void ChatView::focus_composer() { composer_->text().setFocus(); }

void ChatView::regenerate_last() {
    if (chats_.chat().tip() > 0) chats_.regenerate(chats_.chat().tip());
}

void ChatView::edit_last() {
    if (const int id = last("user")) composer_->edit(id);
}

void ChatView::fork_last() {
    if (chats_.chat().tip() > 0) chats_.fork(chats_.chat().tip());
}

void ChatView::go_on_last() {
    if (can_go_on()) chats_.go_on(chats_.chat().tip());
}

void ChatView::play_last() {
    if (const int id = last("assistant")) chats_.ask_to_play(id);
}

void ChatView::step_branch(int by) {
    const std::vector<int> ends = chats_.chat().ends();
    const auto here = std::find(ends.begin(), ends.end(), chats_.chat().newest_below(chats_.chat().tip())) - ends.begin();
    const auto n = static_cast<std::ptrdiff_t>(ends.size());
    if (n > 1 && here < n) chats_.choose(ends[static_cast<size_t>((here + by + n) % n)]);
}

bool ChatView::at_start() const { return start_page_ && pages_->currentWidget() == start_page_; }

void ChatView::focus_first() {
    if (at_start() && start_page_->focusProxy())
        start_page_->focusProxy()->setFocus(Qt::OtherFocusReason);
    else
        focus_composer();
}

bool ChatView::can_go_on() const {
    const int tip = chats_.chat().tip();
    return tip > 0 && chats_.chat().message(tip).open && chats_.chat().message(tip).role == "assistant";
}

void ChatView::show_system() { system_button_->toggle(); }

void ChatView::show_sampling() { sampling_->show_settings(); }

void ChatView::ask_export() {
    QString name = title_->text();
    for (QChar& c : name)
        if (!c.isLetterOrNumber() && c != ' ' && c != '-') c = '_';
    auto* dialog = new QFileDialog(this, tr("Export the chat"), name + ".md", tr("The shown line as Markdown (*.md);;All branches as JSON (*.json)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix("md");
    connect(dialog, &QFileDialog::filterSelected, dialog,
            [dialog](const QString& filter) { dialog->setDefaultSuffix(filter.contains("json") ? "json" : "md"); });
    connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& file) {
        const QString wrong = chats_.export_to(file);
        session_.say(wrong.isEmpty() ? tr("Written: %1").arg(file) : wrong + ".", {}, !wrong.isEmpty());
    });
    dialog->open();
}

void ChatView::ask_import() {
    auto* dialog = new QFileDialog(this, tr("Import a chat"), {}, tr("Chats (*.json)"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setFileMode(QFileDialog::ExistingFile);
    connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& file) {
        const QString wrong = chats_.import_from(file);
        if (!wrong.isEmpty()) session_.say(wrong + ".");
    });
    dialog->open();
}

}  // namespace klp::gui
