#include "app/gui/frame/served_dialog.h"

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
#include "core/runs/served_run.h"

namespace klp::gui {

ServedDialog::ServedDialog(QWidget* parent) : QDialog(parent) {
    setObjectName("served-dialog");
    setWindowTitle(tr("Engine elsewhere"));
    setMinimumWidth(540);
    auto* column = new QVBoxLayout(this);
    auto* about = new QLabel(tr("Any server of OpenAI's API: klp serve, vLLM, SGLang, llama.cpp's server, LM Studio, Ollama. Chat, speed, memory and logits "
                                "work as ever; lenses that look into states and gates need the engine here."),
                             this);
    about->setWordWrap(true);
    about->setForegroundRole(QPalette::PlaceholderText);
    column->addWidget(about);
    auto* form = new QFormLayout;
    const auto field = [&](const char* name, const QString& label, const QString& hint) {
        auto* edit = new QLineEdit(QSettings().value(QString("served/") + name).toString(), this);
        edit->setObjectName(QString("served-") + name);
        edit->setPlaceholderText(hint);
        edit->setAccessibleName(label);
        form->addRow(label, edit);
        return edit;
    };
    url_ = field("url", tr("Address"), "http://127.0.0.1:8080/v1");
    model_ = field("model", tr("Model"), tr("the only one there"));
    key_ = field("key-variable", tr("Variable with the key"), tr("%1, where it is set").arg(kKeyVariable));
    shape_ = field("shape", tr("Shape"), tr("as the name says; kimi-linear-48b, or a config.json"));
    column->addLayout(form);
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
    const auto enable = [this] { open_->setEnabled(!cancel_ && !url_->text().trimmed().isEmpty()); };
    connect(url_, &QLineEdit::textChanged, this, enable);
    enable();
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

void ServedDialog::go() {
    if (cancel_) return;
    const auto server = server_at(url_->text().trimmed().toStdString(), key_->text().trimmed().toStdString());
    if (!server) return say_->setText(text_of(server.error().message));
    cancel_ = std::make_shared<std::atomic<bool>>(false);
    open_->setEnabled(false);
    close_->setText(tr("Stop"));
    say_->setText(tr("Asking what is served…"));
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
            if (!self) return;
            ServedDialog& d = *self;
            d.cancel_.reset();
            d.open_->setEnabled(true);
            d.close_->setText(tr("Close"));
            if (!found) return d.say_->setText(text_of(one_line(found.error().message)));
            QSettings settings;
            for (QLineEdit* edit : {d.url_, d.model_, d.key_, d.shape_}) settings.setValue("served/" + edit->objectName().mid(7), edit->text().trimmed());
            if (d.on_open) d.on_open(std::make_unique<ServedRun>(server, found->model, found->shape));
            d.accept();
        });
    });
}

}  // namespace klp::gui
