// For tests of widgets: an application without a screen, with settings and data of its own, and a session that plays scripts.
#pragma once

#include <gtest/gtest.h>

#include <QApplication>
#include <QComboBox>
#include <QFile>
#include <QLabel>
#include <QRegularExpression>
#include <QSettings>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

#include "app/gui/draw/figure.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/panels/panel.h"
#include "core/runs/scripted_run.h"

namespace klp::gui {

// One application for the whole program, made before the first test.
class GuiEnvironment : public ::testing::Environment {
public:
    void SetUp() override {
        // A screen that every window fits on, or what a test sees hangs on whether it is done before the window has been fitted to its screen.
        QFile screens(home_.filePath("screens.json"));
        ASSERT_TRUE(screens.open(QIODevice::WriteOnly));
        screens.write(R"({"screens": [{"name": "large", "x": 0, "y": 0, "width": 2560, "height": 1440, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}]})");
        screens.close();
        qputenv("QT_QPA_PLATFORM", "offscreen:configfile=" + screens.fileName().toUtf8());
        qputenv("XDG_RUNTIME_DIR", home_.path().toUtf8());
        QStandardPaths::setTestModeEnabled(true);
        QCoreApplication::setOrganizationName("klp");
        QCoreApplication::setApplicationName("klp-test");
        QSettings::setDefaultFormat(QSettings::IniFormat);
        QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, home_.path());
        app_ = std::make_unique<QApplication>(argc_, argv_);
        speak(*app_, "en");  // whatever this machine does
        apply_theme(*app_, ThemeChoice::dark);
    }
    void TearDown() override { app_.reset(); }

private:
    QTemporaryDir home_;
    int argc_ = 1;
    char name_[9] = "gui_test";
    char* argv_[2] = {name_, nullptr};
    std::unique_ptr<QApplication> app_;
};

// A session over a scripted run, with a model loaded.
struct ScriptedSession {
    explicit ScriptedSession(std::shared_ptr<const RunCard> of = scripted_card()) : card(std::move(of)) {
        auto run = std::make_unique<ScriptedRun>();
        script = run.get();
        session = std::make_unique<Session>(std::move(run));
        script->play({Loaded{card}, PhaseChanged{Phase::ready}});
        session->tick();
    }
    void answer(int64_t tokens, int number = 1) {
        script->play(scripted_answer(*card, number, session->trace().size(), tokens));
        session->tick();
    }
    std::shared_ptr<const RunCard> card;
    ScriptedRun* script = nullptr;
    std::unique_ptr<Session> session;
};

// Of a model of which only what is in sight is kept.
inline std::shared_ptr<const RunCard> card_kept_as_seen() {
    auto card = std::make_shared<RunCard>(*scripted_card());
    card->active_bytes = 0;
    return card;
}

// A lens without its window.
struct Lens {
    Lens(ScriptedSession& s, const char* id) : session(*s.session) {
        for (const PanelRow& row : panels())
            if (std::string_view(row.info.id) == id) panel.reset(row.make(session, row.info));
        panel->resize(620, 720);
        panel->show();
        settle();
    }
    static void settle() { QTest::qWait(5); }
    template <class T>
    T* named(const QString& name) {  // how its accessible name begins
        for (T* w : panel->findChildren<T*>())
            if (w->accessibleName().startsWith(name)) return w;
        return nullptr;
    }
    void choose(const char* name, int index) {
        auto* box = named<QComboBox>(name);
        ASSERT_NE(box, nullptr) << "no box " << name;
        box->setCurrentIndex(index);
        emit box->activated(index);
        settle();
    }
    HeatMap* map() { return panel->findChild<HeatMap*>(); }
    QString words() {  // of all labels, without markup
        QString all;
        for (QWidget* w : panel->findChildren<QWidget*>()) {
            if (auto* label = qobject_cast<QLabel*>(w)) all += label->text().remove(QRegularExpression("<[^>]*>")) + "\n";
            if (auto* figure = dynamic_cast<Figure*>(w)) all += figure->text() + "\n";
        }
        return all;
    }
    Session& session;
    std::unique_ptr<Panel> panel;
};

// Different colours in a picture, counted up to 1000: an empty one has few.
inline int colours_in(const QImage& image) {
    QSet<QRgb> seen;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width() && seen.size() < 1000; ++x) seen.insert(image.pixel(x, y));
    return static_cast<int>(seen.size());
}

}  // namespace klp::gui
