// Surgery on the state of one head for the pinned token: what can still be read of every token, what an edit of the pinned one's key will do to the others and
// has done, and the two cuts.
#pragma once

#include <QWidget>
#include <optional>

#include "app/gui/draw/heat_map.h"
#include "app/gui/panels/table_data.h"
#include "app/gui/session/session.h"

class QLineEdit;
class QPushButton;

namespace klp::gui {

class SurgeryStrip : public QWidget {
    Q_OBJECT
public:
    SurgeryStrip(Session& session, QWidget* parent);
    // Asks for what is missing and draws what there is; `still`: nothing new.
    void refresh(bool still);
    void forget();             // another model, or another line
    QString in_words() const;  // of what is drawn; "" where that is nothing
    TableData table() const;

private:
    // A look at the state: of which head, behind which token, for which edit.
    struct Place {
        Head head;
        int64_t position = 0, token = -1, with = -1;
        bool cut = false;
        InterventionsPtr list = {};  // under which
        bool operator==(const Place&) const = default;
    };
    std::optional<Place> wanted() const;
    void ask();
    void take(const ReadablePicture& picture);
    void cut(bool erase);
    int64_t other() const;  // the token whose value it would get; -1: none is named
    QString why_nothing() const;
    QString cell_text(int row, int column) const;
    void draw();

    Session& session_;
    QLineEdit* other_;
    QPushButton *overwrite_, *erase_;
    HeatMap* map_;
    ReadablePicture shown_;  // without tokens: nothing is known
    std::optional<Place> asked_, answered_;
    bool pending_ = false, given_up_ = false;
};

}  // namespace klp::gui
