// The window in every language that it speaks: counts, figures, files that stay as they are, and nothing cut in any lens.
#include <QAbstractButton>
#include <QAction>
#include <QActionGroup>
#include <QComboBox>
#include <QDialog>
#include <QFontDatabase>
#include <QGroupBox>
#include <QHeaderView>
#include <QKeySequence>
#include <QLabel>
#include <QLocale>
#include <QMenuBar>
#include <QSettings>
#include <QTabBar>
#include <QTableView>
#include <QToolButton>
#include <QTreeWidget>
#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "app/format.h"
#include "app/gui/chat/chats.h"
#include "app/gui/draw/heat_map.h"
#include "app/gui/draw/language.h"
#include "app/gui/frame/main_window.h"
#include "app/gui/frame/recorder.h"
#include "app/gui/frame/replay_bar.h"
#include "app/gui/panels/glossary.h"
#include "app/gui/panels/table_data.h"
#include "core/runs/replay_run.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const kLanguageTest = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

bool here(const QString& code) {
    return std::any_of(languages().begin(), languages().end(), [&](const Language& l) { return l.code == code; });
}

// A language for the time of a test.
struct Speaking {
    explicit Speaking(const QString& code) { speak(*qApp, code); }
    ~Speaking() { speak(*qApp, "en"); }
};

TEST(Languages, EnglishCountsWithItsEndings) {
    EXPECT_EQ(tokens_text(1), "1 token");
    EXPECT_EQ(tokens_text(0), "0 tokens");
    EXPECT_EQ(tokens_text(1204), "1,204 tokens");
    EXPECT_EQ(Language::tr("%Ln message(s) (is|are) hidden.", nullptr, 1), "1 message is hidden.");
    EXPECT_EQ(Language::tr("%Ln message(s) (is|are) hidden.", nullptr, 2), "2 messages are hidden.");
    EXPECT_EQ(local("1,048,576"), "1,048,576");
    EXPECT_EQ(local("12.5 ms"), "12.5 ms");
}

TEST(Languages, RussianHasThreeFormsAndItsOwnFigures) {
    if (!here("ru")) GTEST_SKIP() << "built without lrelease";
    const Speaking russian("ru");
    EXPECT_EQ(tokens_text(1), "1 токен");
    EXPECT_EQ(tokens_text(3), "3 токена");
    EXPECT_EQ(tokens_text(11), "11 токенов");
    EXPECT_EQ(tokens_text(21), "21 токен");
    EXPECT_EQ(local("12.5 ms"), "12,5 мс");
    EXPECT_EQ(local("2 min 5 s"), "2 мин 5 с");
    EXPECT_EQ(local(grouped(1048576)).remove(QChar(0xA0)).remove(QChar(0x202F)), "1048576");
    EXPECT_EQ(local("n/a"), "нет");
}

TEST(Languages, OfTheSystemsTheOneThatIsHereIsTaken) {
    if (!here("zh_CN")) GTEST_SKIP() << "built without lrelease";
    for (const auto& [code, tokens] :
         {std::pair("zh_CN", "5 个词元"), {"zh_SG", "5 个词元"}, {"zh_TW", "5 tokens"}, {"ru_UA", "5 токенов"}, {"de_DE", "5 tokens"}, {"C", "5 tokens"}}) {
        const Speaking some(code);
        EXPECT_EQ(tokens_text(5), tokens) << code;
    }
}

TEST(Languages, FilesAreInEnglishWhateverTheWindowSpeaks) {
    if (!here("ru")) GTEST_SKIP() << "built without lrelease";
    const Speaking russian("ru");
    const TableData data{{"token", "g (nats a token)"}, {{QByteArray("longest"), -0.25}}};
    EXPECT_EQ(to_csv(data), "token,g (nats a token)\r\nlongest,-0.25\r\n");
    TableDataModel model;
    model.set(data);
    EXPECT_EQ(model.headerData(1, Qt::Horizontal, Qt::DisplayRole), "g (нат на токен)");
    EXPECT_EQ(model.index(0, 0).data(), "наибольшее");
    EXPECT_EQ(model.index(0, 1).data(), "-0,25");
}

TEST(Languages, NamesOfKeysAreNoWordsOfOurs) {
    if (!here("zh_CN")) GTEST_SKIP() << "built without lrelease";
    const Speaking chinese("zh_CN");
    EXPECT_EQ(Language::tr("Return"), "返回");
    EXPECT_FALSE(QKeySequence("Ctrl+Return").toString(QKeySequence::NativeText).contains("返回"));
    ScriptedSession s;
    Chats chats(*s.session);
    MainWindow window(*s.session, chats);
    for (QAction* a : window.findChildren<QAction*>())
        if (a->shortcut() == QKeySequence("F1")) a->trigger();
    auto* list = window.findChild<QDialog*>("keys")->findChild<QTreeWidget*>();
    EXPECT_EQ(list->topLevelItem(0)->text(0), "文件");
}

TEST(Languages, WordsThatAreExplainedAreFoundInSentences) {
    const auto in = [](const char* code, const char* text) {
        const Speaking it(code);
        QStringList found;
        for (const TermPlace& place : terms_in(text)) found << QString(text).mid(place.first, place.size);
        return found.join(' ');
    };
    EXPECT_EQ(in("en", "half-lives of channels, statement"), "half-lives channels");
    if (!here("ru")) GTEST_SKIP() << "built without lrelease";
    EXPECT_EQ(in("zh_CN", "多头注意力的状态由门控决定，均值不是值"), "状态 门控");
    EXPECT_EQ(in("ru", "состояния головы и слово"), "состояния головы");
}

TEST(Languages, AreChosenInTheViewMenuForTheNextStart) {
    ScriptedSession s;
    Chats chats(*s.session);
    MainWindow window(*s.session, chats);
    QString said;
    QObject::connect(s.session.get(), &Session::noticed, &window, [&](const QString& what) { said = what; });
    QAction* english = nullptr;
    for (QAction* a : window.findChildren<QAction*>())
        if (a->text() == "English") english = a;
    ASSERT_NE(english, nullptr);
    english->trigger();
    EXPECT_EQ(QSettings().value("language"), "en");
    EXPECT_EQ(said, "The window speaks this language from its next start on.");
    QSettings().remove("language");
}

// What of a window's text is cut off: names and texts of widgets that are narrower than what they say.
QStringList cut_in(const QWidget& window) {
    QStringList cut;
    const auto add = [&](const QWidget* w, const QString& text, int has, int wants) {
        if (has < wants) cut << QString("%1 “%2”: %3 of %4 px").arg(w->metaObject()->className(), text.left(60)).arg(has).arg(wants);
    };
    for (const QWidget* w : window.findChildren<QWidget*>()) {
        if (!w->isVisible() || w->visibleRegion().isEmpty()) continue;  // a lens behind another one
        const QFontMetrics m = w->fontMetrics();
        if (const auto* label = qobject_cast<const QLabel*>(w)) {
            // Those that may be narrower say the whole in their tip.
            if (label->sizePolicy().horizontalPolicy() == QSizePolicy::Ignored || label->text().isEmpty()) continue;
            if (label->wordWrap())
                add(w, label->text(), label->height(), label->heightForWidth(label->width()));
            else
                add(w, label->text(), label->width(), label->minimumSizeHint().width());
        } else if (const auto* button = qobject_cast<const QAbstractButton*>(w)) {
            if (!button->text().isEmpty() && button->inherits("QToolButton"))
                add(w, button->text(), w->width(), m.horizontalAdvance(QString(button->text()).remove('&')));
            if (button->inherits("QPushButton")) add(w, button->text(), w->width(), m.horizontalAdvance(QString(button->text()).remove('&')));
        } else if (const auto* tabs = qobject_cast<const QTabBar*>(w)) {
            for (int i = 0; i < tabs->count(); ++i)
                if (tabs->tabRect(i).isValid() && tabs->isTabVisible(i))
                    add(w, tabs->tabText(i), tabs->tabRect(i).width(), m.horizontalAdvance(tabs->tabText(i)));
            if (tabs->count() > 0) add(w, "all tabs", w->width(), tabs->tabRect(tabs->count() - 1).right());
        } else if (const auto* box = qobject_cast<const QComboBox*>(w)) {
            add(w, box->currentText(), w->width() - 20, m.horizontalAdvance(box->currentText()));
        } else if (const auto* view = qobject_cast<const QTableView*>(w)) {
            const QHeaderView* head = view->horizontalHeader();
            for (int c = 0; head->isVisible() && c < head->count(); ++c)
                add(w, view->model()->headerData(c, Qt::Horizontal).toString(), head->sectionSize(c),
                    head->fontMetrics().horizontalAdvance(view->model()->headerData(c, Qt::Horizontal).toString()));
        }
    }
    return cut;
}

TEST(Pictures, ALowMapHasTheWholeNameOfItsRows) {
    HeatMap map;
    const QString name = "слой · голова, а за ней ещё";
    map.set_labels([](int) { return QString(); }, [](int c) { return QString::number(c); }, name, "канал");
    map.set_values(2, 8, std::vector<float>(16, 0.5f));
    map.resize(400, map.fontMetrics().horizontalAdvance(name) + 10);  // higher than its grid
    map.show();
    QTest::qWait(1);
    const QImage picture = map.grab().toImage();
    const QRgb ground = picture.pixel(1, 1);
    int first = picture.height(), last = 0;
    for (int y = 0; y < picture.height(); ++y)
        for (int x = 0; x < map.fontMetrics().height(); ++x)
            if (picture.pixel(x, y) != ground) first = std::min(first, y), last = std::max(last, y);
    EXPECT_GT(last - first, map.fontMetrics().horizontalAdvance(name) - 8);
}

class InLanguage : public ::testing::TestWithParam<std::tuple<const char*, bool>> {};

TEST_P(InLanguage, NothingIsCutInAnyLens) {
    const auto [code, dark] = GetParam();
    if (!here(code)) GTEST_SKIP() << "built without lrelease";
    if (QString(code) == "zh_CN" && QFontDatabase::families(QFontDatabase::SimplifiedChinese).isEmpty()) GTEST_SKIP() << "no Chinese font here";
    const Speaking it(code);
    apply_theme(*qApp, dark ? ThemeChoice::dark : ThemeChoice::light);
    ScriptedSession s;
    Chats chats(*s.session);
    MainWindow window(*s.session, chats);
    window.show();
    window.resize(1280, 720);
    QTest::qWait(1);
    window.apply_layout("explore");  // as at a first start on a screen of this size
    window.open_recording(list_recordings().at(0).file);
    auto* bar = window.findChild<ReplayBar*>();
    bar->replay()->pause();
    bar->step(60);
    const QString folder = qEnvironmentVariable("KLP_PICTURES");  // where to leave them, to be looked at
    for (const PanelRow& row : panels()) {
        window.show_panel(row.info.id);
        QStringList cut = cut_in(window);
        for (int tries = 0; tries < 100 && (tries < 3 || !cut.isEmpty()); ++tries) QTest::qWait(20), cut = cut_in(window);  // when all is laid out
        const QImage picture = window.grab().toImage();
        EXPECT_GT(colours_in(picture), 20) << row.info.id;
        if (!folder.isEmpty()) picture.save(QString("%1/%2-%3-%4.png").arg(folder, code, row.info.id, dark ? "dark" : "light"));
        EXPECT_LE(window.minimumSizeHint().width(), 1024) << row.info.id;
        EXPECT_TRUE(cut.isEmpty()) << row.info.id << ":\n" << cut.join('\n').toStdString();
    }
}
INSTANTIATE_TEST_SUITE_P(Pictures, InLanguage, ::testing::Combine(::testing::Values("en", "zh_CN", "ru"), ::testing::Bool()),
                         [](const auto& info) { return std::string(std::get<0>(info.param)) + (std::get<1>(info.param) ? "_dark" : "_light"); });

}  // namespace
}  // namespace klp::gui
