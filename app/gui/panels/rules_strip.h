// The same tokens under other rules, in the lens State: asks for what the chosen head's state would be (rules.h), and shows it.
#pragma once

#include <QWidget>
#include <optional>

#include "app/gui/panels/rules_plot.h"
#include "app/gui/panels/table_data.h"
#include "app/gui/session/session.h"

namespace klp::gui {

class RulesStrip : public QWidget {
    Q_OBJECT
public:
    RulesStrip(Session& session, QWidget* parent);
    void refresh(bool still);  // asks for what is missing and draws what there is; `still`: nothing new
    void forget();             // another model
    QString in_words() const;  // of what is drawn; "" where that is nothing
    QString why_nothing() const;
    TableData table() const;
    Head head() const { return {shown_.layer, shown_.head}; }
    bool empty() const { return shown_.rules.empty(); }

private:
    struct Place {
        Head head;
        int64_t position = 0;
        InterventionsPtr list = {};
        bool operator==(const Place&) const = default;
    };
    std::optional<Place> wanted() const;
    void take(const RulesPicture& picture);
    void draw();
    std::vector<size_t> rules() const;   // that are drawn: of a head with one gate anyway KDA is Gated DeltaNet
    QString name_of(size_t rule) const;  // "GLA"
    double cosine(size_t rule, bool pinned) const;
    int64_t pinned() const;  // the chosen token, where it is among those that were written; else -1

    Session& session_;
    RulesPlot* plot_;
    RulesPicture shown_;  // without rules: nothing is known
    std::optional<Place> asked_, answered_;
    int64_t drawn_pinned_ = -1;
    bool pending_ = false, given_up_ = false;
};

}  // namespace klp::gui
