#include <QHBoxLayout>
#include <QScrollArea>
#include <QVBoxLayout>
#include <algorithm>

#include "app/format.h"
#include "app/gui/draw/language.h"
#include "app/gui/draw/text.h"
#include "app/gui/panels/layer_column.h"
#include "app/gui/panels/panels.h"
#include "app/gui/panels/words.h"
#include "core/model/cost.h"
#include "core/model/streams.h"

namespace klp::gui {

namespace {

QString size_text(double bytes) { return local(bytes_text(static_cast<int64_t>(bytes))); }
QString layers_text(int64_t n) { return Language::tr("%Ln layer(s)", nullptr, n); }

class MapPanel final : public Panel {
public:
    MapPanel(Session& session, const PanelInfo& info) : Panel(session, info), scroll_(new QScrollArea(body())), column_(new LayerColumn(nullptr)) {
        controls()->addStretch(1);
        auto* layout = new QVBoxLayout(body());
        layout->setContentsMargins(0, 0, 0, 0);
        scroll_->setWidgetResizable(true);
        scroll_->setFrameShape(QFrame::NoFrame);
        scroll_->setFocusPolicy(Qt::NoFocus);  // the column in it has keys of its own
        scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
        scroll_->setWidget(column_);
        layout->addWidget(scroll_);
        connect(column_, &LayerColumn::clicked, this, [this](int layer) { this->session.selection().set_layer(layer); });
        connect(&session, &Session::card_changed, this, [this] { count(), refresh_soon(); });
        count();
    }

    TableData table() const override {
        TableData data{
            {"layer", "mixer", "feed-forward", "mixer (bytes a token reads)", "feed-forward (bytes a token reads)", "state (bytes)", "cache (bytes a token)"},
            {}};
        for (const LayerRow& row : column_->rows())
            if (row.layer >= 0) {
                const LayerCost& cost = costs_[static_cast<size_t>(row.layer)];
                data.rows.push_back({row.layer, row.mixer, row.ffn, cost.mixer, cost.ffn, cost.state, cost.cache});
            }
        return data;
    }

protected:
    void refresh() override {
        const int layer = session.selection().layer();
        column_->set_empty(why_no_picture());
        if (layer == column_->chosen() && shown_ == column_->rows().size()) return;
        column_->set_chosen(layer);
        shown_ = column_->rows().size();
        for (size_t i = 0; i < column_->rows().size(); ++i)
            if (column_->rows()[i].layer == layer) scroll_->ensureVisible(0, static_cast<int>(column_->place(i).center().y()), 0, 60);
    }
    QString in_words() const override {
        if (costs_.empty()) return {};
        double states = 0, cache = 0, weights = head_ + row_;
        int64_t with_state = 0, with_cache = 0;
        for (const LayerCost& c : costs_) {
            states += c.state, cache += c.cache, weights += c.mixer + c.ffn;
            with_state += c.state > 0, with_cache += c.cache > 0;
        }
        QStringList said;
        if (with_state > 0) said << tr("%1 with a state: %2, whatever the context.").arg(layers_text(with_state), size_text(states));
        if (with_cache > 0) said << tr("%1 with a cache: %2 more with every token.").arg(layers_text(with_cache), size_text(cache));
        said << tr("A token reads %1 of weights.").arg(size_text(weights));
        return sentences(said);
    }
    std::vector<KeyItem> key() const override {
        if (costs_.empty()) return {};
        const Theme& t = theme();
        std::vector<KeyItem> items;
        const auto any = [&](auto is) { return std::any_of(column_->rows().begin(), column_->rows().end(), is); };
        if (any([](const LayerRow& r) { return r.memory == LayerRow::Memory::state; })) items.push_back({KeyItem::fill, t.hybrid, tr("mixer with a state")});
        if (any([](const LayerRow& r) { return r.memory == LayerRow::Memory::cache; })) items.push_back({KeyItem::fill, t.twin, tr("mixer with a cache")});
        if (any([](const LayerRow& r) { return r.experts; })) items.push_back({KeyItem::fill, t.third, tr("experts")});
        items.push_back({KeyItem::fill, t.muted, tr("the rest")});
        items.push_back({KeyItem::frame, t.accent, tr("chosen layer")});
        return items;
    }
    Caption caption() const override { return {tr("layers from bottom to top"), {tr("matrices counted as %1").arg(text_of(klp::info(type_).name))}}; }
    QString why_no_picture() const override { return costs_.empty() ? tr("Load a model, and this shows its layers.") : QString(); }

private:
    void count() {
        costs_.clear();
        const auto card = session.card();
        if (!card || card->config.num_hidden_layers == 0) return column_->set_rows({});
        const ModelConfig& c = card->config;
        const DTypeInfo* type = find_dtype(card->weights);
        type_ = type ? type->type : DType::bf16;
        const Costs costs(c, type_, card->cache_value_bytes);
        costs_ = costs.layers(), head_ = costs.head(), row_ = costs.embedding_row();
        std::vector<LayerRow> rows;
        rows.push_back({.name = tr("Embedding"),
                        .mixer_bytes = row_,
                        .reads = size_text(row_),
                        .about = tr("Embedding: a token reads its own row, %1.").arg(size_text(row_))});
        for (int l = 0; l < c.num_hidden_layers; ++l) {
            const LayerCost& cost = costs_[static_cast<size_t>(l)];
            LayerRow row{.layer = l, .name = tr("Layer %1").arg(l), .mixer_bytes = cost.mixer, .ffn_bytes = cost.ffn};
            row.mixer = words::mixer_name(c, l);
            row.experts = c.is_moe(l);
            row.ffn = row.experts ? tr("%1 of %2 experts").arg(c.num_experts_per_token).arg(local(grouped(c.num_experts))) : tr("dense");
            if (row.experts && c.shared_width() > 0) row.ffn += " + " + QString::number(std::max(1, c.num_shared_experts));
            row.reads = size_text(cost.mixer + cost.ffn);
            row.memory = cost.state > 0 ? LayerRow::Memory::state : LayerRow::Memory::cache;
            row.remembers = cost.state > 0 ? tr("%1 state").arg(size_text(cost.state)) : tr("%1 a token").arg(size_text(cost.cache));
            row.about = tr("Layer %1: %2, then %3. A token reads %4 of weights for the mixer and %5 for the feed-forward part. It remembers: %6.")
                            .arg(l)
                            .arg(row.mixer, row.ffn, size_text(cost.mixer), size_text(cost.ffn), row.remembers);
            if (row.experts && c.expert_latent > 0) row.about += " " + tr("Its experts work in a latent of %1 channels.").arg(local(grouped(c.expert_latent)));
            if (c.residual_block > 0)
                row.about += " " + Language::tr("The mixer reads a mix of %Ln residual stream(s).", nullptr, static_cast<int>(streams_read(c, l)));
            rows.push_back(std::move(row));
        }
        rows.push_back(
            {.name = tr("Output"), .ffn_bytes = head_, .reads = size_text(head_), .about = tr("Output head: a token reads %1.").arg(size_text(head_))});
        column_->set_rows(std::move(rows));
        shown_ = 0;
    }

    QScrollArea* scroll_;
    LayerColumn* column_;
    std::vector<LayerCost> costs_;
    double head_ = 0, row_ = 0;
    DType type_ = DType::bf16;
    size_t shown_ = 0;
};

}  // namespace

Panel* make_map_panel(Session& session, const PanelInfo& info) { return new MapPanel(session, info); }

}  // namespace klp::gui
