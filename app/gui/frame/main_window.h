// The window: run bar, chat, lenses, timeline, vitals; their layouts, menus and keys. Every action is in a menu and has a shortcut.
#pragma once

#include <QMainWindow>
#include <QPointer>

#include "app/gui/chat/chats.h"
#include "app/gui/frame/side_by_side.h"
#include "app/gui/panels/panel.h"

class QStackedWidget;

namespace klp::gui {

class ChatView;
class Conversations;
class RunBar;
class Vitals;
class Banner;
class Keys;
class Recorder;
class ReplayBar;
class StartPage;
class Tour;
class LabWindow;

class MainWindow : public QMainWindow {
    Q_OBJECT
public:
    MainWindow(Session& session, Chats& chats, QWidget* parent = nullptr);
    ~MainWindow() override;

    // Named arrangements of the docks: "chat", "explore" (the default), "monitor", "present", "two-lenses" (State beside the other lenses).
    void apply_layout(const QString& name);
    void show_panel(const QString& id);
    Tour* tour() const { return tour_; }
    void set_text_size(double factor);  // of all text, kept for the next time
    Panel* panel(const QString& id) const;
    QAction* action(const QString& id) const;
    // A dock on the left or at the bottom, under View. `id` is for settings and tests.
    QDockWidget* add_dock(const QString& id, const QString& title, QWidget* content, Qt::DockWidgetArea area, const QKeySequence& key);
    // In the menu of this name, which is made when it is not there.
    QAction* add_action(const QString& menu, const QString& id, const QString& text, const QKeySequence& key, std::function<void()> what);
    void load_model(const QString& model);
    void set_device(const QString& device) { device_ = device; }  // that models are loaded onto from now on
    ChatView& chat_view() { return *chat_view_; }
    void open_recording(const QString& file);
    void play_again(int id);                                     // an answer of the chat
    void open(const QString& path);                              // a recording by its ending, else a model
    void open_elsewhere(const QString& at, const QString& ssh);  // asks for an engine; at once where it is said which one
    Banner& banner() { return *banner_; }
    void show_beside(const SideBySide::What& what);  // two sides; what is in the way is said
    void close_beside();
    SideBySide* side() const { return side_; }  // null: there is one side
    void next_region(int by);                   // of conversations, chat, lens, timeline, run bar: the keyboard goes there
    LabWindow* open_lab();                      // the one there is, or a new one
    void escape();                              // stops what runs, or else dismisses the message, or else follows the newest token

signals:
    void models_changed();  // on the disk

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void childEvent(QChildEvent* event) override;
    void closeEvent(QCloseEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void make_menus();
    void make_panels();
    void open_recorded_race();
    void make_baseline_menu();
    void make_chat_menu();
    void make_side_menu();
    void make_capture();
    void watch_notices();
    void refresh_actions();
    void make_tour();
    void size_timeline();
    void make_room(int before);  // when the window's width has changed
    bool refuse(const QString& path);
    Notice about_models(const QString& what);
    std::vector<QWidget*> regions() const;
    void save_layout() const;
    bool restore_layout();
    QMenu* menu(const QString& name);

    Session& session_;
    Chats& chats_;
    QString device_ = "auto";
    RunBar* run_bar_ = nullptr;
    Vitals* vitals_ = nullptr;
    Banner* banner_ = nullptr;
    ChatView* chat_view_ = nullptr;
    Conversations* conversations_ = nullptr;
    Recorder* recorder_ = nullptr;
    ReplayBar* replay_bar_ = nullptr;
    StartPage* start_ = nullptr;
    Keys* keys_ = nullptr;
    Tour* tour_ = nullptr;
    QPointer<LabWindow> lab_;
    SideBySide* side_ = nullptr;
    QByteArray before_side_;  // where the docks stood
    double zoom_ = 1;
    bool present_ = false, timeline_empty_ = false;
    int timeline_height_ = 0;  // before it was empty
    bool shown_ = false, resizing_ = false, hid_conversations_ = false;
    int known_width_ = 0;  // of the window, for which its columns are right
    std::map<QString, QDockWidget*> docks_;
    std::map<QString, Panel*> panels_;
    std::map<QString, QAction*> actions_;
};

}  // namespace klp::gui
