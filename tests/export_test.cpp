// What leaves the window: every lens as a figure that stands alone, and its numbers as a file that says what they are.
#include <QBuffer>
#include <QClipboard>
#include <QDate>
#include <QFile>
#include <QFileInfo>
#include <QLocale>
#include <QMimeData>
#include <QProcess>
#include <QXmlStreamReader>
#include <cmath>

#include "app/gui/draw/line_chart.h"
#include "tests/gui_support.h"

namespace klp::gui {
namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GuiEnvironment);

const char* const kPictures[] = {"decay", "state", "memory", "race", "experts", "logits", "attention", "life"};

// A session in which every lens has something to show.
class Export : public ::testing::Test {
protected:
    Export() : run_(new ScriptedRun([this](const Command& c) { return reply(c); })), session(std::unique_ptr<klp::Run>(run_)) { load(""); }
    void load(const std::string& recorded) {
        auto card = std::make_shared<RunCard>(*scripted_card());
        card->name = "a scripted model", card->recorded = recorded;
        card_ = card;
        play({Loaded{card}, PhaseChanged{Phase::ready}});
    }
    void play(std::vector<Event> events) {
        run_->play(std::move(events));
        settle();
    }
    void settle() {
        for (int i = 0; i < 6; ++i) {
            session.tick();
            QTest::qWait(2);
        }
    }
    std::vector<Event> reply(const Command& command) const {
        const auto* c = std::get_if<ProbeAttention>(&command);
        if (!c) return {};
        std::vector<Event> events;
        for (int h = 0; h < 4; ++h) events.push_back(read(c->layer, h, c->position));
        events.push_back(PhaseChanged{Phase::ready});
        return events;
    }
    AttentionPicture read(int layer, int head, int64_t position) const {
        AttentionPicture p{
            .layer = layer, .head = head, .position = position, .first = 0, .implicit = layer != 3, .weights = {}, .decay_only = {}, .before = 0};
        if (p.implicit) p.first = 8;
        for (int64_t at = p.first; at <= position; ++at) {
            p.weights.push_back(p.implicit ? 0.1f * std::sin(static_cast<float>(at)) : 1 / static_cast<float>(position + 1));
            if (p.implicit) p.decay_only.push_back(0.12f);
        }
        return p;
    }
    // Shown, with everything that it needs.
    Panel& lens(const std::string& id, QSize size = {620, 720}) {
        session.selection().set_token(Selection::kNewest);
        for (const PanelRow& row : panels())
            if (row.info.id == id) panel_.reset(row.make(session, row.info));
        panel_->resize(size);
        panel_->show();
        settle();
        const bool recorded = !card_->recorded.empty();
        play(scripted_answer(*card_, 1, session.trace().size(), 30));
        std::vector<Event> events;
        if (id == "state") {
            StatePicture picture{0, 0, session.trace().size(), 32, 32, std::vector<float>(32 * 32)};
            for (size_t i = 0; i < picture.values.size(); ++i) picture.values[i] = std::sin(static_cast<float>(i));
            events.push_back(picture);
        }
        if (id == "race") {
            if (!recorded) events.push_back(PhaseChanged{Phase::racing, 64, 4096});
            for (const int64_t n : {64, 128, 256})
                events.push_back(
                    RacePoint{n, 2e5, 1.8e5 + 1e3 * double(n), {1 << 18, 1 << 14, 1 << 16}, {0, 0, n << 12}, {1.5e5, 2.6e5}, {1.7e5, 2.5e5 + 1e3 * double(n)}});
            events.push_back(RaceDone{TwinKind::synthetic, ""});
            if (!recorded) events.push_back(PhaseChanged{Phase::ready});
        }
        if (id == "attention" && recorded)
            for (int layer : {3, 0}) events.push_back(read(layer, 0, session.trace().size() - 1));
        if (id == "life") {
            session.selection().set_token(7);
            settle();
            LifePicture life{{.token = 7, .last = session.trace().size() - 1, .probability = {{20, 0.5f}}}};
            const std::vector<float> kept(static_cast<size_t>(life.last - 6), 0.5f);
            for (int layer : {0, 3}) life.heads.push_back({.layer = layer, .cache = layer == 3, .decay = kept, .left = kept, .read = kept});
            events.push_back(life);
            if (!recorded) events.push_back(PhaseChanged{Phase::ready});
        }
        play(std::move(events));
        return *panel_;
    }
    QString file(const QString& name) const { return folder_.filePath(name); }
    static QByteArray bytes(const QString& file) {
        QFile f(file);
        return f.open(QIODevice::ReadOnly) ? f.readAll() : QByteArray();
    }

    ScriptedRun* run_;
    Session session;
    QTemporaryDir folder_;
    std::shared_ptr<const RunCard> card_;
    std::unique_ptr<Panel> panel_;
};

// What a file of vectors says, and the pixels of each image in it.
struct Svg {
    QString text;
    std::vector<QImage> images;
    int lines = 0;
};
Svg parsed(const QByteArray& bytes) {
    Svg svg;
    QXmlStreamReader xml(bytes);
    bool in_text = false;
    while (!xml.atEnd()) {
        xml.readNext();
        if (xml.isStartElement()) {
            in_text = xml.name() == QLatin1String("text");
            svg.lines += xml.name() == QLatin1String("polyline") || xml.name() == QLatin1String("path");
            if (xml.name() == QLatin1String("image")) {
                const QString data = xml.attributes().value("xlink:href").toString();
                svg.images.push_back(QImage::fromData(QByteArray::fromBase64(data.mid(data.indexOf(',') + 1).toLatin1())));
            }
        } else if (xml.isEndElement() && xml.name() == QLatin1String("text")) {
            in_text = false, svg.text += ' ';
        } else if (xml.isCharacters() && in_text) {
            svg.text += xml.text();
        }
    }
    EXPECT_FALSE(xml.hasError()) << xml.errorString().toStdString();
    svg.text = svg.text.simplified();
    return svg;
}

TEST_F(Export, AFigureSaysWhatItIsAndIsDrawnAsVectors) {
    for (const char* id : kPictures) {
        SCOPED_TRACE(id);
        Panel& panel = lens(id);
        const QString name = file(QString("%1.svg").arg(id)), before = QDate::currentDate().toString(Qt::ISODate);
        const QString error = panel.export_to(name);
        if (error.contains("SVG module")) GTEST_SKIP() << error.toStdString();
        ASSERT_EQ(error, "");
        const QString after = QDate::currentDate().toString(Qt::ISODate);
        const Svg svg = parsed(bytes(name));
        const QString title = QString::fromUtf8(panel.info().title) + ": ";
        EXPECT_TRUE(svg.text.contains(title)) << svg.text.toStdString();
        EXPECT_TRUE(svg.text.contains(id == std::string("memory") ? "a scripted model" : "a scripted model ·"));
        EXPECT_TRUE(svg.text.contains("LIVE"));
        EXPECT_TRUE(svg.text.contains(before) || svg.text.contains(after));
        EXPECT_TRUE(svg.text.contains("klp 0"));
        EXPECT_TRUE(svg.text.contains(panel.sentence().section(' ', 0, 3)));
        // Where a letter is of another font, a text is in pieces.
        const auto joined = [](QString text) { return text.remove(' '); };
        for (const KeyItem& item : panel.key_items()) EXPECT_TRUE(joined(svg.text).contains(joined(item.text))) << item.text.toStdString();
        EXPECT_GT(svg.lines, 10);
        const auto* map = panel.findChild<HeatMap*>();
        const bool drawn = map && map->isVisible();
        EXPECT_EQ(svg.images.size(), drawn ? 1u : 0u) << "a map is an image, and nothing else is";
        for (const QImage& image : svg.images) EXPECT_EQ(image.size(), QSize(map->columns(), map->rows())) << "one pixel a cell";
        // Nothing that wants to be clicked.
        for (const char* hint : {"Point at a token", "Hold A", "Start", "Freeze", "Show “", "up to 4k"}) EXPECT_FALSE(svg.text.contains(hint)) << hint;
    }
}

TEST_F(Export, CellsOfAMapAreSharpInAFileOfVectors) {
    QWidget body;
    body.resize(400, 300);
    auto* map = new HeatMap(&body);
    map->resize(body.size());
    map->set_values(2, 2, {0, 0.25f, 0.5f, 1});
    Key key(&body);
    key.hide();
    const QByteArray svg = Plate(body, key, {"Map", "of a test", {}, {}}).svg();
    if (svg.isEmpty()) GTEST_SKIP() << "this build has no SVG";
    for (const size_t place : {size_t{0}, size_t{64}, size_t{128}, size_t{255}}) {
        const QByteArray fill = "fill=\"" + QColor::fromRgb(sequential_map()[place]).name().toLatin1() + "\"";
        EXPECT_TRUE(svg.contains(fill)) << fill.toStdString();
    }
}

TEST_F(Export, ARecordedFigureAndAFrozenOneSaySo) {
    load("2026-01-02 on a machine");
    for (const char* id : kPictures) {
        SCOPED_TRACE(id);
        Panel& panel = lens(id);
        panel.set_frozen(true);
        const QString error = panel.export_to(file("a.svg"));
        if (error.contains("SVG module")) GTEST_SKIP() << error.toStdString();
        ASSERT_EQ(error, "");
        const QString text = parsed(bytes(file("a.svg"))).text;
        EXPECT_TRUE(text.contains("REPLAY, FROZEN"));
        EXPECT_TRUE(text.contains("recorded 2026-01-02 on a machine"));
    }
}

TEST_F(Export, AFigureOfAChosenRangeSaysSo) {
    for (const char* id : {"decay", "experts"}) {
        SCOPED_TRACE(id);
        Panel& panel = lens(id);
        session.selection().set_range(15, 30);
        settle();
        ASSERT_EQ(panel.export_to(file("a.csv")), "");
        const QString said = QString::fromUtf8(bytes(file("a.csv"))).section('\n', 0, 1);
        EXPECT_TRUE(said.contains("tokens 15 to 29 chosen")) << said.toStdString();
        EXPECT_TRUE(said.contains(id == std::string("decay") ? "half-life over the 15 tokens chosen" : "load of each expert over the 15 tokens chosen"))
            << said.toStdString();
    }
}

TEST_F(Export, APngHasAMarginAndTwiceTheSizeInBothThemes) {
    for (const auto choice : {ThemeChoice::light, ThemeChoice::dark}) {
        apply_theme(*qApp, choice);
        for (const char* id : kPictures) {
            SCOPED_TRACE(id);
            Panel& panel = lens(id, {700, 640});
            const QString name = file(QString("%1.png").arg(id));
            ASSERT_EQ(panel.export_to(name), "");
            const QImage image(name);
            EXPECT_GT(image.width(), 2 * 640);
            EXPECT_GT(colours_in(image), 20);
            const QRgb ground = image.pixel(0, 0);
            EXPECT_EQ(qGray(ground) > 128, choice == ThemeChoice::light);
            for (const QRect& edge : {QRect(0, 0, image.width(), 40), QRect(0, 0, 40, image.height()), QRect(image.width() - 40, 0, 40, image.height()),
                                      QRect(0, image.height() - 40, image.width(), 40)}) {
                const QImage margin = image.copy(edge);
                EXPECT_EQ(colours_in(margin), 1);
                EXPECT_EQ(margin.pixel(0, 0), ground);
            }
            // Drawn at its size: text of two pixels a point has edges that an enlarged one has not. Every second pixel of a row would equal its neighbour.
            int unequal = 0;
            for (int y = 48; y < 120; ++y)
                for (int x = 48; x + 1 < image.width() / 2; x += 2) unequal += image.pixel(x, y) != image.pixel(x + 1, y);
            EXPECT_GT(unequal, 100);
        }
    }
    apply_theme(*qApp, ThemeChoice::dark);
}

TEST_F(Export, APdfAndTheClipboardHaveTheSameFigure) {
    Panel& panel = lens("decay");
    ASSERT_EQ(panel.export_to(file("a.pdf")), "");
    const QByteArray pdf = bytes(file("a.pdf"));
    EXPECT_TRUE(pdf.startsWith("%PDF"));
    EXPECT_EQ(pdf.count("/Subtype /Image"), 1) << "the map, and nothing else";
    ASSERT_EQ(panel.copy(), "");
    ASSERT_EQ(panel.export_to(file("a.png")), "");
    const QImage copied = QGuiApplication::clipboard()->image(), written(file("a.png"));
    EXPECT_EQ(copied.size(), written.size());
    EXPECT_EQ(copied.copy(0, written.height() / 2, written.width(), written.height() / 2).convertToFormat(QImage::Format_RGB32),
              written.copy(0, written.height() / 2, written.width(), written.height() / 2).convertToFormat(QImage::Format_RGB32));
}

TEST_F(Export, WhereThereIsNothingNothingIsWritten) {
    play({Unloaded{}, PhaseChanged{Phase::empty}});
    for (const PanelRow& row : panels()) {
        const std::string id = row.info.id;
        if (id == "memory") continue;  // it shows a shape
        SCOPED_TRACE(id);
        panel_.reset(row.make(session, row.info));
        panel_->show();
        settle();
        for (const char* kind : {"png", "svg", "pdf", "csv"}) {
            if (id == "log" && kind == std::string("csv")) continue;
            const QString name = file(QString("%1.%2").arg(id.c_str(), kind));
            const QString said = panel_->export_to(name);
            EXPECT_TRUE(said.endsWith('.') && said.size() > 15) << kind << ": " << said.toStdString();
            EXPECT_FALSE(QFileInfo::exists(name)) << kind;
        }
        EXPECT_NE(panel_->copy(), "");
    }
    Panel& memory = lens("memory");
    EXPECT_EQ(memory.export_to(file("memory.png")), "");
    const QString nowhere = file("no/such/folder.png");
    EXPECT_TRUE(memory.export_to(nowhere).contains(nowhere));
}

TEST_F(Export, NumbersSayWhatTheyAreAndAreReadInAnyLanguage) {
    const QLocale before;
    QLocale::setDefault(QLocale(QLocale::German));
    for (const PanelRow& row : panels()) {
        SCOPED_TRACE(row.info.id);
        Panel& panel = lens(row.info.id);
        const QString name = file(QString("%1.csv").arg(row.info.id));
        ASSERT_EQ(panel.export_to(name), "");
        const QByteArray text = bytes(name);
        EXPECT_TRUE(text.startsWith("# klp ")) << text.left(200).toStdString();
        const QByteArray first = text.left(text.indexOf('\n'));
        for (const char* what : {row.info.title, "model a scripted model", "LIVE", " · 20"}) EXPECT_TRUE(first.contains(what)) << first.toStdString();
        // A column is what it is called (a place, a name) or has its unit in brackets and numbers below it.
        QProcess python;
        python.start(KLP_PYTHON, {"-c", R"(
import csv, sys
lines = open(sys.argv[1], encoding='utf-8', newline='').read().split('\r\n')
head = [l for l in lines if l.startswith('#')]
assert lines[:len(head)] == head and 1 <= len(head) <= 2, head
table = list(csv.reader(lines[len(head):-1]))
places = {'token', 'layer', 'head', 'channel', 'value', 'key', 'what', 'expert', 'position', 'rank', 'id', 'chosen', 'level', 'message', 'memory', 'mixer', 'feed-forward', 'rule', 'time (ISO 8601, local)', 'tokens'}
assert len(table) > 1
for name in table[0]:
    assert name in places or name.endswith(')'), name
for row in table[1:]:
    assert len(row) == len(table[0]), row
    for name, cell in zip(table[0], row):
        if name not in places and cell: float(cell)
)",
                                  name});
        ASSERT_TRUE(python.waitForFinished(30000));
        EXPECT_EQ(python.exitCode(), 0) << python.readAllStandardError().toStdString();
    }
    QLocale::setDefault(before);
}

TEST_F(Export, ARaceShowsTheSpreadOfItsTokens) {
    Panel& panel = lens("race");
    const TableData table = panel.table();
    EXPECT_EQ(table.columns[2], "this model (ns a token, fastest)");
    EXPECT_EQ(table.rows[1][2].toDouble(), 1.5e5);
    EXPECT_EQ(table.rows[1][6].toDouble(), 2.5e5 + 128e3);
    auto* time = panel.findChild<LineChart*>();
    const QImage with = time->grab().toImage();
    time->set_whiskers(0, {}), time->set_whiskers(1, {});
    EXPECT_NE(with, time->grab().toImage());
}

}  // namespace
}  // namespace klp::gui
