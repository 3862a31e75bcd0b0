// Which KDA head a lens shows: two boxes, linked to the selection both ways.
#pragma once

#include <QWidget>

#include "app/gui/session/session.h"

class QComboBox;

namespace klp::gui {

// The head whose state everybody looks at. Nothing where the model has no KDA layers.
std::optional<Head> kda_head(const Session& session);
// "token 4,102 “mount”"; text is made harmless and cut.
QString token_name(const Session& session, int64_t position);

class HeadPicker : public QWidget {
public:
    HeadPicker(Session& session, const QString& lens, QWidget* parent);
    void sync();  // shows what is selected

private:
    Session& session_;
    QComboBox *layer_, *head_;
    std::vector<int> layers_;
};

}  // namespace klp::gui
