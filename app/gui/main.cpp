// klp-gui, the desktop program: flags, the engine's thread, the window; wiring and nothing else.
#include <QApplication>
#include <QCommandLineParser>
#include <QIcon>
#include <QSettings>
#include <cstdio>
#include <cstdlib>

#include "app/gui/draw/language.h"
#include "app/gui/frame/main_window.h"
#include "app/opener.h"
#include "core/files/resources.h"

namespace {

// Qt aborts where it finds no screen.
void no_screen(QtMsgType type, const QMessageLogContext&, const QString& text) {
    if (type != QtFatalMsg) return void(std::fprintf(stderr, "%s\n", qPrintable(text)));
    const QByteArray screen = qgetenv(qEnvironmentVariableIsEmpty("WAYLAND_DISPLAY") ? "DISPLAY" : "WAYLAND_DISPLAY");
    std::fprintf(stderr, "klp-gui: no window can be opened on the screen '%s'.\n", screen.constData());
    std::_Exit(EXIT_FAILURE);
}

}  // namespace

int main(int argc, char** argv) {
    QCoreApplication::setOrganizationName("klp");
    QCoreApplication::setApplicationName("klp-gui");
    QCoreApplication::setApplicationVersion(KLP_VERSION);
    qInstallMessageHandler(no_screen);
    QApplication app(argc, argv);
    qInstallMessageHandler(nullptr);
    QGuiApplication::setDesktopFileName("org.klp.Playground");
    QIcon icon;
    for (int size : {48, 128, 256}) icon.addFile(QString(":/klp-%1.png").arg(size));
    QGuiApplication::setWindowIcon(icon);

    klp::gui::speak(app, QSettings().value("language").toString());

    QCommandLineParser flags;
    flags.setApplicationDescription("Kimi Linear Playground: chat with a Kimi Linear model and watch its memory work.");
    flags.addHelpOption();
    flags.addVersionOption();
    flags.addOption({{"m", "model"}, "Load this model at once: a folder, a GGUF file, or the name of a model; \"demo\" is the embedded one.", "model"});
    flags.addOption({"at", "The engine of a klp serve there, such as 127.0.0.1:8080.", "host:port"});
    flags.addOption({"ssh", "With --at: through ssh, from this host.", "host"});
    flags.addOption({"device", "auto, cpu, cuda, cuda:N.", "device", "auto"});
    flags.addPositionalArgument("file", "A recorded run (.klprun) to watch, or a model to load.", "[file]");
    flags.process(app);

    klp::gui::apply_theme(app, static_cast<klp::gui::ThemeChoice>(QSettings().value("theme", 0).toInt()));
    klp::gui::Session session(std::make_unique<klp::LiveRun>(klp::open_for_run));
    if (const auto data = klp::data_folder(); !data.empty()) session.set_states((data / "states").string());
    klp::gui::Chats chats(session, klp::gui::Chats::default_folder());
    klp::gui::MainWindow window(session, chats);
    window.set_device(flags.value("device"));
    window.show();
    if (flags.isSet("ssh") && !flags.isSet("at")) {
        std::fputs("klp-gui: --ssh needs --at\n", stderr);
        return 2;
    }
    if (flags.isSet("at")) window.open_elsewhere(flags.value("at"), flags.value("ssh"));
    if (flags.isSet("model")) window.load_model(flags.value("model"));
    if (!flags.positionalArguments().isEmpty()) window.open(flags.positionalArguments().first());
    return QApplication::exec();
}
