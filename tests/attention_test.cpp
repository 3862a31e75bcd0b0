// The attention lens: what it asks for and when, what it draws, what it says.
#include <QAbstractButton>
#include <QComboBox>
#include <QLabel>

#include <cmath>

#include "app/gui/draw/heat_map.h"
#include "app/gui/panels/panel.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

AttentionPicture picture_of(const ProbeAttention& c, int64_t window = kProbeWindow) {
    AttentionPicture picture{c.layer, c.head, c.position, 0, c.layer < 3, {}, {}, 0};
    if (picture.implicit) picture.first = std::max<int64_t>(0, c.position + 1 - window), picture.before = picture.first > 0 ? 0.25f : 0;
    for (int64_t p = picture.first; p <= c.position; ++p) {
        const auto age = static_cast<float>(c.position - p);
        picture.weights.push_back(picture.implicit ? 0.17f * std::exp(-age / 8) * std::cos(age) : 1 / static_cast<float>(c.position + 1));
        if (picture.implicit) picture.decay_only.push_back(0.17f * std::exp(-age / 8));
    }
    return picture;
}

class AttentionTest : public ::testing::Test {
protected:
    AttentionTest() : run(new ScriptedRun([this](const Command& c) { return reply(c); })), session(std::unique_ptr<klp::Run>(run)) {
        for (const PanelRow& row : panels())
            if (row.info.id == std::string("attention")) panel.reset(row.make(session, row.info));
        panel->resize(620, 520);
    }
    std::vector<Event> reply(const Command& command) {
        const auto* c = std::get_if<ProbeAttention>(&command);
        if (!c) return {};
        asked.push_back(*c);
        std::vector<Event> events;
        if (fails) events.push_back(stopped);
        if (!fails && !gives_way) {
            EXPECT_EQ(c->head, -1);
            for (int h = 0; h < 4; ++h) events.push_back(picture_of({c->layer, h, c->position}, window));
        }
        events.push_back(PhaseChanged{Phase::ready});
        return events;
    }
    void load() { play({Loaded{card}, PhaseChanged{Phase::ready}}); }
    void play(std::vector<Event> events) {
        run->play(std::move(events));
        settle();
    }
    void answer(int64_t tokens) { play(scripted_answer(*card, 1, session.trace().size(), tokens)); }
    void settle() {  // the panel asks for one picture after the other, each at a turn of the loop
        for (int i = 0; i < 6; ++i) {
            session.tick();
            QTest::qWait(2);
        }
    }
    QString said() const {
        QString all;
        for (const QLabel* label : panel->findChildren<QLabel*>())
            if (label->isVisibleTo(panel.get())) all += label->text() + "\n";
        return all;
    }
    QWidget* named(const QString& name) const {
        for (QWidget* w : panel->findChildren<QWidget*>())
            if (w->accessibleName() == name) return w;
        ADD_FAILURE() << name.toStdString();
        return nullptr;
    }
    std::shared_ptr<const RunCard> card = scripted_card();
    std::vector<ProbeAttention> asked;
    bool gives_way = false, fails = false;
    const Trouble stopped{Error{Error::interrupted, "stopped"}, "", -1};
    int64_t window = kProbeWindow;
    ScriptedRun* run;
    Session session;
    std::unique_ptr<Panel> panel;
};

TEST_F(AttentionTest, AsksForBothMemoriesOfTheNewestTokenOnce) {
    panel->show();
    load();
    EXPECT_TRUE(asked.empty());
    EXPECT_TRUE(said().contains("Ask something"));
    answer(30);
    ASSERT_EQ(asked.size(), 2u);
    EXPECT_EQ(asked[0].layer, 3);
    EXPECT_EQ(asked[1].layer, 0);
    EXPECT_EQ(asked[0].position, 41);
    settle();
    EXPECT_EQ(asked.size(), 2u);
    EXPECT_TRUE(said().contains("half of all from the last 21 tokens")) << said().toStdString();
    EXPECT_TRUE(said().contains("State: most from"));
    EXPECT_EQ(panel->table().rows.size(), 42u);
    EXPECT_NEAR(panel->table().rows[41][3].toDouble(), 0.17, 1e-6);
}

TEST_F(AttentionTest, CostsNothingUnseenAndWhileTheModelSpeaks) {
    load();
    answer(10);
    EXPECT_TRUE(asked.empty());
    panel->show();
    run->play({PhaseChanged{Phase::decoding}});
    settle();
    EXPECT_TRUE(asked.empty());
    EXPECT_TRUE(said().contains("when the model rests"));
    play({PhaseChanged{Phase::ready}});
    EXPECT_EQ(asked.size(), 2u);
    panel->hide();
    session.selection().set_token(3);
    settle();
    EXPECT_EQ(asked.size(), 2u);
}

TEST_F(AttentionTest, FollowsTheSelection) {
    panel->show();
    load();
    answer(30);
    asked.clear();
    session.selection().set_token(20);
    settle();
    ASSERT_EQ(asked.size(), 2u);
    EXPECT_EQ(asked[0].position, 20);
    session.selection().set_head(2, 3);
    settle();
    ASSERT_EQ(asked.size(), 3u) << "only the state's layer is another one";
    EXPECT_EQ(asked[2].layer, 2);
    EXPECT_EQ(static_cast<QComboBox*>(named("State (KDA), head"))->currentIndex(), 3);
    auto* head = static_cast<QComboBox*>(named("Cache (MLA), head"));
    head->setCurrentIndex(1);
    emit head->activated(1);
    settle();
    EXPECT_EQ(asked.size(), 3u) << "every head is known";
    EXPECT_EQ(session.selection().layer(), 3);
    EXPECT_EQ(session.selection().head(), 1);
}

TEST_F(AttentionTest, AHeadOfTheCacheLeavesTheStatesAlone) {
    panel->show();
    load();
    answer(30);
    session.selection().set_head(1, 2);
    settle();
    auto* head = static_cast<QComboBox*>(named("Cache (MLA), head"));
    head->setCurrentIndex(3);
    emit head->activated(3);
    settle();
    EXPECT_EQ(session.selection().state(), (Head{1, 2}));
    EXPECT_EQ(session.selection().cache(), (Head{3, 3}));
    EXPECT_EQ(static_cast<QComboBox*>(named("State (KDA), layer"))->currentData().toInt(), 1);
    EXPECT_EQ(static_cast<QComboBox*>(named("State (KDA), head"))->currentIndex(), 2);
}

TEST_F(AttentionTest, SaysInWordsWhatIsReadAndGoesThere) {
    panel->show();
    load();
    EXPECT_EQ(panel->sentence(), "Which past tokens are read: by a cache, and by a state.");
    answer(30);
    settle();
    EXPECT_TRUE(panel->sentence().startsWith("Reading at ")) << panel->sentence().toStdString();
    EXPECT_TRUE(panel->sentence().contains("the cache takes 2 % from")) << panel->sentence().toStdString();
    QStringList key;
    for (const KeyItem& item : panel->key_items()) key << item.text;
    for (const char* what : {"adds", "takes away", "had nothing overwritten it", "square root"}) EXPECT_TRUE(key.join(" ").contains(what)) << what;
    static_cast<QAbstractButton*>(named("Cache (MLA), the word it reads most"))->click();
    EXPECT_EQ(session.selection().hovered(), 0);
}

TEST_F(AttentionTest, AsksAgainForWhatGaveWayAndNotForWhatFailed) {
    panel->show();
    load();
    gives_way = true;
    answer(5);
    EXPECT_GT(asked.size(), 1u);
    EXPECT_TRUE(panel->table().rows.empty());
    gives_way = false;
    settle();
    EXPECT_EQ(panel->table().rows.size(), 17u);

    fails = true;
    session.selection().set_token(3);
    settle();
    const size_t before = asked.size();
    settle();
    EXPECT_EQ(asked.size(), before);
    fails = false;
    session.selection().set_token(4);
    settle();
    EXPECT_GT(asked.size(), before);
}

TEST_F(AttentionTest, ForgetsWhatIsNoLongerThePast) {
    panel->show();
    load();
    answer(30);
    run->play({PhaseChanged{Phase::prefill}, PromptFed{10, {1, 2, 3}}});
    settle();
    EXPECT_TRUE(panel->table().rows.empty());
    play({PhaseChanged{Phase::ready}});
    EXPECT_EQ(panel->table().rows.size(), 13u);
}

TEST_F(AttentionTest, DrawsShortAndLongContextsInBothThemes) {
    panel->show();
    load();
    window = 64;
    answer(30);
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const QSize size : {QSize(620, 520), QSize(380, 300)}) {
            panel->resize(size);
            settle();
            for (int below : {3, 1, 2, 0}) {
                auto* box = static_cast<QComboBox*>(named("Below the strips"));
                box->setCurrentIndex(below);
                emit box->activated(below);
                settle();
                EXPECT_GT(colours_in(panel->grab().toImage()), 20);
            }
        }
    }
    answer(6000);
    settle();
    EXPECT_EQ(panel->table().rows.size(), 6054u);
    EXPECT_TRUE(std::isnan(panel->table().rows[0][3].toDouble())) << "before the window";
    EXPECT_TRUE(said().contains("before token 5,990: 25 % of the output")) << said().toStdString();
    EXPECT_GT(colours_in(panel->grab().toImage()), 20);
}

TEST_F(AttentionTest, KeysPointAndPin) {
    panel->show();
    load();
    answer(30);
    QWidget* words = named("The words of the context, coloured by the cache");
    QTest::keyClick(words, Qt::Key_Left);
    EXPECT_EQ(session.selection().hovered(), 40);
    EXPECT_TRUE(words->accessibleDescription().contains("Token 40"));
    EXPECT_TRUE(words->accessibleDescription().contains("state"));
    QTest::keyClick(words, Qt::Key_Left);
    QTest::keyClick(words, Qt::Key_Return);
    EXPECT_EQ(session.selection().token(), 39);
    QWidget* bars = named("State (KDA), weight of each token");
    QTest::mouseMove(bars, {5, 20});
    QTest::mouseClick(bars, Qt::LeftButton, {}, {5, 20});
    EXPECT_EQ(session.selection().token(), 0);
}

TEST_F(AttentionTest, AHeadIsChosenAmongAll) {
    panel->show();
    load();
    answer(30);
    auto* box = static_cast<QComboBox*>(named("Below the strips"));
    box->setCurrentIndex(3);
    emit box->activated(3);
    settle();
    auto* map = panel->findChild<HeatMap*>();
    ASSERT_EQ(map->rows(), 8);
    EXPECT_EQ(map->columns(), 42);
    EXPECT_TRUE(map->describe(6, 40, 0).contains("State (KDA), layer 0, head 2")) << map->describe(6, 40, 0).toStdString();
    emit map->clicked(6, 40);
    EXPECT_EQ(session.selection().layer(), 0);
    EXPECT_EQ(session.selection().head(), 2);
    emit map->hovered(1, 17);
    EXPECT_EQ(session.selection().hovered(), 17);
}

TEST_F(AttentionTest, ARecordingShowsWhatItHolds) {
    auto recorded = std::make_shared<RunCard>(*card);
    recorded->recorded = "2026-03-01, a machine";
    panel->show();
    play({Loaded{recorded}, PhaseChanged{Phase::ready}});
    EXPECT_TRUE(said().contains("recording")) << said().toStdString();
    run->play(scripted_answer(*recorded, 1, 0, 20));
    settle();
    EXPECT_TRUE(asked.empty());
    play({picture_of({1, 2, 25})});
    EXPECT_TRUE(said().contains("State: most from"));
    EXPECT_TRUE(said().contains("not in this recording"));
    EXPECT_FALSE(named("State (KDA), layer")->isEnabled());
    EXPECT_EQ(static_cast<QComboBox*>(named("State (KDA), head"))->currentIndex(), 2);
}

}  // namespace
}  // namespace klp::gui
