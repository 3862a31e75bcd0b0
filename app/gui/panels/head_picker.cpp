#include "app/gui/panels/head_picker.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QSignalBlocker>

#include "app/format.h"
#include "app/gui/draw/language.h"

namespace klp::gui {

std::optional<Head> kda_head(const Session& session) {
    if (!session.card() || session.trace().shape().layers(Site::log_decay).empty()) return {};
    return session.selection().state();
}

QString token_name(const Session& session, int64_t position) {
    const QString name = Language::tr("token %1").arg(local(grouped(position)));
    if (position < 0 || position >= session.trace().size()) return name;
    const std::string text = session.trace().row(position).text;
    if (text.empty()) return name;
    QString shown = QString::fromStdString(harmless(text));
    shown.replace('\n', "↵").replace('\t', "⇥");
    if (shown.size() > 16) shown = shown.left(15) + "…";
    return Language::tr("%1 “%2”").arg(name, shown);
}

HeadPicker::HeadPicker(Session& session, const QString& lens, QWidget* parent)
    : QWidget(parent), session_(session), layer_(new QComboBox(this)), head_(new QComboBox(this)) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(4);
    layer_->setAccessibleName(tr("%1, layer").arg(lens));
    layer_->setToolTip(tr("Layer that keeps a state, counted from 0 as in the checkpoint; the selection follows, and so do the other lenses"));
    head_->setAccessibleName(tr("%1, head").arg(lens));
    head_->setToolTip(tr("Head of this layer"));
    row->addWidget(layer_);
    row->addWidget(head_);
    connect(layer_, &QComboBox::activated, this, [this](int i) { session_.selection().set_layer(layers_[static_cast<size_t>(i)]); });
    connect(head_, &QComboBox::activated, this, [this](int i) {
        if (const auto now = kda_head(session_)) session_.selection().set_head(now->layer, i);
    });
}

void HeadPicker::sync() {
    const QSignalBlocker a(layer_), b(head_);
    const TraceShape& shape = session_.trace().shape();
    const std::vector<int> layers = session_.card() ? shape.layers(Site::log_decay) : std::vector<int>{};
    if (layers != layers_ || head_->count() != (layers.empty() ? 0 : shape.kda_heads)) {
        layers_ = layers;
        layer_->clear(), head_->clear();
        for (int l : layers_) layer_->addItem(tr("Layer %1").arg(l));
        for (int h = 0; h < shape.kda_heads && !layers_.empty(); ++h) head_->addItem(tr("Head %1").arg(h));
    }
    setVisible(!layers_.empty());
    if (const auto now = kda_head(session_)) {
        layer_->setCurrentIndex(static_cast<int>(std::lower_bound(layers_.begin(), layers_.end(), now->layer) - layers_.begin()));
        head_->setCurrentIndex(now->head);
    }
}

}  // namespace klp::gui
