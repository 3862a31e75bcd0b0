#include "app/gui/frame/served_dialog.h"

#include <QComboBox>
#include <QCoreApplication>
#include <QDialogButtonBox>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPointer>
#include <QPushButton>
#include <QSettings>
#include <QThreadPool>
#include <QVBoxLayout>

#include "app/format.h"
#include "app/gui/draw/text.h"
#include "core/runs/remote_run.h"
#include "core/runs/served_run.h"

namespace klp::gui {

ServedDialog::ServedDialog(QWidget* parent) : QDialog(parent) {
    setObjectName("served-dialog");
    setWindowTitle(tr("Engine elsewhere"));
    setMinimumWidth(540);
    auto* column = new QVBoxLayout(this);
    form_ = new QFormLayout;
    kind_ = new QComboBox(this);
    kind_->setObjectName("served-kind");
    kind_->addItem(tr("The engine of a klp serve"), false);  // whether it is an API
    kind_->addItem(tr("A server of OpenAI's API"), true);
    kind_->setAccessibleName(tr("What is there"));
    kind_->setCurrentIndex(QSettings().value("served/api").toBool() ? 1 : 0);
    form_->addRow(tr("What is there"), kind_);
    about_ = new QLabel(this);
    about_->setWordWrap(true);
    about_->setForegroundRole(QPalette::PlaceholderText);
    column->addWidget(about_);
    const auto field = [&](const char* name, const QString& label, const QString& hint) {
        auto* edit = new QLineEdit(QSettings().value(QString("served/") + name).toString(), this);
        edit->setObjectName(QString("served-") + name);
        edit->setPlaceholderText(hint);
        edit->setAccessibleName(label);
        form_->addRow(label, edit);
        return edit;
    };
    at_ = field("at", tr("Address"), "127.0.0.1:8080");
    ssh_ = field("ssh", tr("Through ssh"), tr("a host, such as me@gpu: the address is as seen from there"));
    url_ = field("url", tr("Address"), "http://127.0.0.1:8080/v1");
    model_ = field("model", tr("Model"), tr("the only one there"));
    key_ = field("key-variable", tr("Variable with the key"), tr("%1, where it is set").arg(kKeyVariable));
    shape_ = field("shape", tr("Shape"), tr("as the name says; kimi-linear-48b, or a config.json"));
    column->addLayout(form_);
    say_ = new QLabel(this);
    say_->setObjectName("served-say");
    say_->setWordWrap(true);
    say_->setTextFormat(Qt::PlainText);
    say_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    column->addWidget(say_);
    column->addStretch(1);
    auto* buttons = new QDialogButtonBox(this);
    open_ = buttons->addButton(tr("Connect"), QDialogButtonBox::AcceptRole);
    close_ = buttons->addButton(tr("Close"), QDialogButtonBox::RejectRole);
    column->addWidget(buttons);
    for (QLineEdit* edit : {at_, url_}) connect(edit, &QLineEdit::textChanged, this, &ServedDialog::show_kind);
    connect(kind_, &QComboBox::currentIndexChanged, this, &ServedDialog::show_kind);
    show_kind();
    connect(buttons, &QDialogButtonBox::accepted, this, &ServedDialog::go);
    connect(buttons, &QDialogButtonBox::rejected, this, [this] {
        if (cancel_)
            *cancel_ = true;
        else
            reject();
    });
}

ServedDialog::~ServedDialog() {
    if (cancel_) *cancel_ = true;
}

bool ServedDialog::api() const { return kind_->currentData().toBool(); }

void ServedDialog::show_kind() {
    about_->setText(api()
                        ? tr("Any server of OpenAI's API: klp serve, vLLM, SGLang, llama.cpp's server, LM Studio, Ollama. Chat, speed, memory and logits "
                             "work as ever; lenses that look into states and gates need an engine.")
                        : tr("klp serve on another machine lends its engine: chat, branches and every lens work as with one here. Its port is open to its own "
                             "machine alone, so the way there is ssh."));
    for (QLineEdit* edit : {at_, ssh_}) form_->setRowVisible(edit, !api());
    for (QLineEdit* edit : {url_, model_, shape_}) form_->setRowVisible(edit, api());
    open_->setEnabled(!cancel_ && !(api() ? url_ : at_)->text().trimmed().isEmpty());
}

void ServedDialog::begin_asking(const QString& what) {
    cancel_ = std::make_shared<std::atomic<bool>>(false);
    open_->setEnabled(false);
    kind_->setEnabled(false);
    close_->setText(tr("Stop"));
    say_->setText(what);
}

bool ServedDialog::end_asking(const std::string& trouble) {
    cancel_.reset();
    kind_->setEnabled(true);
    close_->setText(tr("Close"));
    show_kind();
    if (!trouble.empty()) return say_->setText(text_of(one_line(trouble))), false;
    QSettings settings;
    settings.setValue("served/api", api());
    for (QLineEdit* edit : {at_, ssh_, url_, model_, key_, shape_}) settings.setValue("served/" + edit->objectName().mid(7), edit->text().trimmed());
    return true;
}

void ServedDialog::ask(const QString& at, const QString& ssh) {
    kind_->setCurrentIndex(0);
    at_->setText(at), ssh_->setText(ssh);
    go();
}

void ServedDialog::go() {
    if (cancel_) return;
    api() ? ask_api() : ask_engine();
}

void ServedDialog::ask_engine() {
    const auto text = [](const QLineEdit* edit) { return edit->text().trimmed().toStdString(); };
    if (const auto right = engine_at(text(at_), text(key_)); !right) return say_->setText(text_of(right.error().message));
    begin_asking(text(ssh_).empty() ? tr("Asking for a run there…") : tr("Asking for a run there, through ssh…"));
    QThreadPool::globalInstance()->start([self = QPointer<ServedDialog>(this), cancel = cancel_, at = text(at_), ssh = text(ssh_), key = text(key_)] {
        const auto look = [&]() -> Result<std::unique_ptr<Run>> {
            const auto line = engine_line(at, ssh, key, cancel.get());
            if (!line) return tl::unexpected(line.error());
            return open_remote(*line, cancel.get());
        };
        const auto found = std::make_shared<Result<std::unique_ptr<Run>>>(look());
        QMetaObject::invokeMethod(qApp, [self, found] {
            if (!self || !self->end_asking(*found ? "" : found->error().message)) return;
            if (self->on_open) self->on_open(std::move(**found));
            self->accept();
        });
    });
}

void ServedDialog::ask_api() {
    const auto server = server_at(url_->text().trimmed().toStdString(), key_->text().trimmed().toStdString());
    if (!server) return say_->setText(text_of(server.error().message));
    begin_asking(tr("Asking what is served…"));
    struct Found {
        ServedModel model;
        std::optional<ModelConfig> shape;
    };
    QThreadPool::globalInstance()->start([self = QPointer<ServedDialog>(this), cancel = cancel_, server = *server,
                                          name = model_->text().trimmed().toStdString(), said = shape_->text().trimmed().toStdString()] {
        const auto look = [&]() -> Result<Found> {
            auto model = served_model(server, name, cancel.get());
            if (!model) return tl::unexpected(model.error());
            auto shape = served_shape(said, model->id);
            if (!shape) return tl::unexpected(shape.error());
            return Found{std::move(*model), std::move(*shape)};
        };
        QMetaObject::invokeMethod(qApp, [self, server, found = look()] {
            if (!self || !self->end_asking(found ? "" : found.error().message)) return;
            if (self->on_open) self->on_open(std::make_unique<ServedRun>(server, found->model, found->shape));
            self->accept();
        });
    });
}

}  // namespace klp::gui
