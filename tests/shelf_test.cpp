// The start page's models, and the dialog that brings one.
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>

#include "app/gui/draw/figure.h"
#include "app/gui/frame/pull_dialog.h"
#include "app/gui/frame/shelf.h"
#include "tests/checkpoints.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

class ShelfTest : public ::testing::Test {
protected:
    ShelfTest() {
        for (const char* name : {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "LLAMA_CACHE", "OLLAMA_MODELS", "XDG_CACHE_HOME", "HF_TOKEN"})
            qunsetenv(name);
        qputenv("HOME", home_.path().c_str());
        qputenv("XDG_DATA_HOME", home_.path().c_str());
    }
    TempFolder home_;
};

TEST_F(ShelfTest, ListsWhatOpensAndSaysWhyOthersDoNot) {
    const auto models = home_ / "klp" / "models";
    std::filesystem::create_directories(models / "a");
    ASSERT_TRUE(init_checkpoint(models / "a/tiny", shape("tiny"), DType::bf16, 1));
    std::filesystem::create_directories(models / "b");
    write_bytes(models / "b/config.json", R"({"model_type": "llama"})");
    write_bytes(models / "b/model.safetensors", "12345678");
    Shelf shelf;
    ASSERT_TRUE(QTest::qWaitFor([&] { return shelf.findChildren<QPushButton*>().size() == 4; }));
    auto* opens = shelf.findChildren<QPushButton*>()[2];
    EXPECT_EQ(opens->accessibleName(), "Open a/tiny");
    EXPECT_TRUE(opens->isEnabled());
    auto* llama = shelf.findChildren<QPushButton*>()[3];
    EXPECT_FALSE(llama->isEnabled());
    QStringList said;
    for (const auto* w : shelf.findChildren<QWidget*>())
        if (const auto* figure = dynamic_cast<const Figure*>(w)) said << figure->text();
    EXPECT_TRUE(said.contains("is of another architecture: llama")) << said.join("|").toStdString();
    QString asked;
    QObject::connect(&shelf, &Shelf::model_asked, [&](const QString& path) { asked = path; });
    opens->click();
    EXPECT_EQ(asked.toStdString(), (models / "a/tiny").string());
}

TEST_F(ShelfTest, AnEmptyDiskSaysWhereItLooked) {
    Shelf shelf;
    const auto says = [&] {
        for (const auto* l : shelf.findChildren<QLabel*>())
            if (l->text().startsWith("None yet, in the folders of Hugging Face")) return true;
        return false;
    };
    EXPECT_TRUE(QTest::qWaitFor([&] { return says(); }));
}

TEST_F(ShelfTest, APullThatFailsSaysWhyAndMayBeTriedAgain) {
    qputenv("HF_ENDPOINT", "http://127.0.0.1:9");  // nobody listens there
    PullDialog dialog;
    auto* pull = dialog.findChildren<QPushButton*>()[0];
    auto* what = dialog.findChild<QLineEdit*>();
    EXPECT_FALSE(pull->isEnabled()) << "nothing is asked for yet";
    const auto says = [&](const QString& text) {
        for (const auto* l : dialog.findChildren<QLabel*>())
            if (l->text().contains(text)) return true;
        return false;
    };
    what->setText("nonsense");
    pull->click();
    EXPECT_TRUE(QTest::qWaitFor([&] { return says("is not a repository: ORGANISATION/NAME"); }));
    what->setText("a/b");
    EXPECT_TRUE(QTest::qWaitFor([&] { return pull->isEnabled(); }));
    pull->click();
    EXPECT_TRUE(QTest::qWaitFor([&] { return says("http://127.0.0.1:9: "); }));
    EXPECT_TRUE(QTest::qWaitFor([&] { return pull->isEnabled(); }));
}

}  // namespace
}  // namespace klp::gui
