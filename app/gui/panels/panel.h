// A lens: one picture of what the model remembers or does. The base has what all lenses share: the sentence that says what the picture says, its key, an
// explanation beside it, freezing, the same numbers as a table, exports, and drawing only while visible. A new lens is one file in panels/ and one line in
// about.cpp.
#pragma once

#include <QWidget>

#include "app/gui/draw/theme.h"
#include "app/gui/panels/hands_strip.h"
#include "app/gui/panels/lens_head.h"
#include "app/gui/panels/plate.h"
#include "app/gui/panels/table_data.h"
#include "app/gui/session/session.h"

class QBoxLayout;
class QLabel;
class QStackedWidget;
class QTableView;
class QTextBrowser;
class QToolButton;
class QHBoxLayout;

namespace klp::gui {

struct PanelInfo {
    const char* id;       // "decay": for settings and tests
    const char* title;    // "Decay"
    const char* about;    // one sentence: what am I looking at
    const char* see;      // behind the ?, rich text: what is what
    const char* tries;    // what to do with it
    const char* formula;  // units, formula and source
};

class Panel : public QWidget {
    Q_OBJECT
public:
    Panel(Session& session, const PanelInfo& info, QWidget* parent = nullptr);
    ~Panel() override;
    const PanelInfo& info() const { return info_; }

    // What the engine must capture while this panel is in sight.
    virtual Interest interest() const { return {}; }
    // The numbers behind the picture; asked for when the table is shown or exported. A column's name has its unit, where it has one.
    virtual TableData table() const = 0;
    QString sentence() const { return sentence_->text(); }  // that stands above the picture
    const std::vector<KeyItem>& key_items() const { return key_->items(); }

    bool frozen() const { return frozen_; }
    void set_frozen(bool on);
    // Behind another tab a widget is visible to Qt and not to people.
    bool in_sight() const { return isVisible() && !behind_; }
    void set_behind(bool on);
    void set_detached(bool on);  // what the menu offers
    void show_table(bool on);
    void show_help(bool on);
    bool explains() const;  // what is behind the ? is in sight
    // Writes the lens as a figure that stands alone (.png, .svg, .pdf) or its numbers (.csv), by the ending of the file's name. What went wrong, in a sentence
    // with the file's name, or why there is nothing to write; else "".
    QString export_to(const QString& file);
    QString copy();  // the same figure, to the clipboard

signals:
    void detach_asked();
    void explained(bool on);  // what is behind the ? is shown, or was put away
    void recorded_race_asked();

protected:
    // Draws what there is now. Called while in sight and not frozen (of all lenses in sight one a tick), when the selection or theme changes, and when shown.
    virtual void refresh() = 0;
    // Of what refresh() has drawn; "": what the lens is for.
    virtual QString in_words() const { return {}; }
    virtual bool takes_range() const { return false; }  // refresh() and in_words() are of the chosen range, where there is one
    virtual std::vector<KeyItem> key() const { return {}; }
    // What a figure or a file of this lens is of: "half-life of the token, layer × channel", of "token 12 “cat”" and "layer 0, head 1".
    struct Caption {
        QString what;
        QStringList of;
        QString model = {};  // where it is not the loaded one
    };
    virtual Caption caption() const = 0;
    virtual QString why_no_picture() const { return {}; }  // a sentence, where there is nothing to show in a figure
    // Call when what interest() says has changed.
    void interest_changed();
    void refresh_soon();  // at the next turn of the event loop, however often it is asked
    bool held() const { return frozen_ || session.frozen(); }

    Session& session;
    const Theme& theme() const { return theme_of(palette()); }
    QWidget* body() const { return body_; }              // lay the picture out in here
    QHBoxLayout* controls() const { return controls_; }  // combo boxes and the like, above the picture
    void add_hands(std::vector<HandTool> tools);         // a button beside the key, and the strip that it opens

    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void make_buttons(QHBoxLayout* row);
    void fit_help();
    void update_head();
    void update_table();
    void export_asked(const QString& kind);
    QString said() const;  // in_words(), of the chosen range
    QString why_no_figure() const;
    Plate::Words plate_words() const;
    QByteArray csv() const;
    const PanelInfo info_;
    Sentence* sentence_ = nullptr;
    Key* key_ = nullptr;
    QLabel* still_ = nullptr;  // it is frozen
    HandsStrip* hands_ = nullptr;
    QTextBrowser* help_ = nullptr;
    QBoxLayout* middle_ = nullptr;  // help and picture: beside each other where there is room
    QWidget* body_ = nullptr;
    QHBoxLayout* controls_ = nullptr;
    QStackedWidget* pages_ = nullptr;
    QTableView* table_ = nullptr;
    QToolButton *help_button_ = nullptr, *freeze_ = nullptr, *as_table_ = nullptr;
    QAction* detach_ = nullptr;
    bool frozen_ = false, behind_ = false, pending_ = false;
};

// Every lens there is, in the order of its tabs.
struct PanelRow {
    PanelInfo info;
    Panel* (*make)(Session& session, const PanelInfo& info);
};
const std::vector<PanelRow>& panels();

}  // namespace klp::gui
