// The models on this disk, as a card of the start page: those that open are buttons, the others say why not.
#pragma once

#include <QFrame>

#include <vector>

#include "core/files/library.h"

class QBoxLayout;
class QLabel;

namespace klp::gui {

class Shelf : public QFrame {
    Q_OBJECT
public:
    explicit Shelf(QWidget* parent = nullptr);
    void look();                                                                                  // again, on a thread of its own
    QSize minimumSizeHint() const override { return {160, QFrame::minimumSizeHint().height()}; }  // its buttons go under its title

signals:
    void model_asked(const QString& path);
    void pull_asked();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void show_models(const std::vector<FoundModel>& models);
    QBoxLayout* head_;
    QLabel* say_;
    QWidget* list_ = nullptr;
};

}  // namespace klp::gui
