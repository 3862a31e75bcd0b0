// Folders of the list of conversations, through its own menu, rows and boxes.
#include <gtest/gtest.h>

#include <QAbstractItemModelTester>
#include <QLineEdit>
#include <QMenu>
#include <QTemporaryDir>
#include <QTest>
#include <QTreeView>
#include <memory>

#include "app/gui/chat/chats.h"
#include "app/gui/chat/conversations.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

class Folders : public ::testing::Test {
protected:
    void SetUp() override {
        QSettings().remove("folders");
        for (const char* said : {"Cats", "Dogs", "Birds"}) {
            auto chat = std::make_unique<Chat>((home.path() + "/" + said + ".jsonl").toStdString());
            chat->set_info({.title = said});
            chat->add({.parent = 0, .role = "user", .text = said, .time = 1});
            ASSERT_TRUE(chat->save(true));
        }
        open();
    }
    void open() {
        list.reset(), chats.reset();
        s = std::make_unique<ScriptedSession>();
        chats = std::make_unique<Chats>(*s->session, home.path());
        list = std::make_unique<Conversations>(*s->session, *chats);
        list->resize(300, 400);
        list->show();
        tree = list->findChild<QTreeView*>("conversations");
    }
    QStringList rows() const {
        QStringList out;
        for (int i = 0; i < tree->model()->rowCount(); ++i) out << tree->model()->index(i, 0).data().toString().trimmed();
        return out;
    }
    QModelIndex row(const QString& text) const {
        for (int i = 0; i < tree->model()->rowCount(); ++i)
            if (const QModelIndex at = tree->model()->index(i, 0); at.data().toString().trimmed() == text) return at;
        return {};
    }
    QMenu* menu_of(const QString& text) {
        tree->customContextMenuRequested(tree->visualRect(row(text)).center());
        return list->findChildren<QMenu*>(QString(), Qt::FindDirectChildrenOnly).back();
    }
    static void choose(QMenu* menu, const QString& text) {
        for (QAction* action : menu->actions())
            if (action->text().remove('&') == text) {
                action->trigger();
                menu->close();
                return;
            }
        ADD_FAILURE() << "no " << text.toStdString();
    }
    void type_over(const QString& name) {
        auto* box = tree->viewport()->findChild<QLineEdit*>();
        ASSERT_NE(box, nullptr) << "its name is there to be typed over";
        box->selectAll();
        QTest::keyClicks(box, name);
        QTest::keyClick(box, Qt::Key_Return);
        EXPECT_TRUE(QTest::qWaitFor([&] { return chats->folders().contains(name); }));
    }

    QTemporaryDir home;
    std::unique_ptr<ScriptedSession> s;
    std::unique_ptr<Chats> chats;
    std::unique_ptr<Conversations> list;
    QTreeView* tree = nullptr;
};

TEST_F(Folders, AreMadeNamedFoldedFoundAndDissolved) {
    const QAbstractItemModelTester tester(tree->model(), QAbstractItemModelTester::FailureReportingMode::Fatal);
    ASSERT_TRUE(row("Dogs").isValid());
    choose(menu_of("Dogs")->findChild<QMenu*>("folders"), "New folder");
    type_over("Pets");
    EXPECT_EQ(chats->folders(), QStringList{"Pets"});
    EXPECT_EQ(rows().mid(0, 2), (QStringList{"▾ Pets", "Dogs"})) << "in front of all others";
    choose(menu_of("Cats")->findChild<QMenu*>("folders"), "Pets");
    EXPECT_EQ(rows()[0], "▾ Pets");
    EXPECT_EQ(rows().indexOf("Birds"), 3);
    EXPECT_EQ(row("▾ Pets").data(ConversationsModel::kDate).toString(), "2");

    QTest::mouseClick(tree->viewport(), Qt::LeftButton, {}, tree->visualRect(row("▾ Pets")).center());
    EXPECT_TRUE(row("▸ Pets").isValid());
    EXPECT_FALSE(row("Cats").isValid());
    EXPECT_TRUE(row("▸ Pets").data(Qt::AccessibleTextRole).toString().startsWith("Folder, folded: Pets, 2"));
    open();  // as it was left
    EXPECT_TRUE(row("▸ Pets").isValid());
    EXPECT_TRUE(row("Birds").isValid());

    auto* search = list->findChild<QLineEdit*>("search");
    search->setFocus();
    QTest::keyClicks(search, "Cat");
    QTest::keyClick(search, Qt::Key_Return);
    EXPECT_EQ(rows(), (QStringList{"▾ Pets", "Cats"})) << "what is looked for is not folded away";
    EXPECT_EQ(chats->chat().info().title, "Cats") << "the first found is opened, not its folder";
    search->clear();
    EXPECT_TRUE(QTest::qWaitFor([&] { return row("▸ Pets").isValid(); }));
    QTest::mouseClick(tree->viewport(), Qt::LeftButton, {}, tree->visualRect(row("▸ Pets")).center());

    choose(menu_of("Cats")->findChild<QMenu*>("folders"), "None");
    EXPECT_EQ(rows().mid(0, 2), (QStringList{"▾ Pets", "Dogs"}));
    choose(menu_of("▾ Pets"), "Rename");
    type_over("Animals");
    EXPECT_EQ(chats->folders(), QStringList{"Animals"});
    tree->setCurrentIndex(row("▾ Animals"));
    QTest::keyClick(tree, Qt::Key_Delete);
    EXPECT_TRUE(row("Dogs").isValid()) << "a folder is not taken away with what lies in it";
    choose(menu_of("▾ Animals"), "Dissolve the folder (its chats stay)");
    EXPECT_EQ(chats->folders(), QStringList{});
    EXPECT_TRUE(row("Dogs").isValid());
}

}  // namespace
}  // namespace klp::gui
