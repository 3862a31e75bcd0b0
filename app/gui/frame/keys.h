// Every key of the window, by what it does: a list that stays open beside the work and can be searched.
#pragma once

#include <QDialog>
#include <vector>

class QLineEdit;
class QMenuBar;
class QTreeWidget;

namespace klp::gui {

class Keys : public QDialog {
    Q_OBJECT
public:
    Keys(const QMenuBar& menus, QWidget* parent);

private:
    void search(const QString& text);
    QLineEdit* search_;
    QTreeWidget* list_;
};

}  // namespace klp::gui
