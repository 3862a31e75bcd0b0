// A tour of the window: a few steps, each a callout beside a real widget with a ring around it, that goes on when the person has done what it says. Never in
// the way: nothing is covered that is spoken of, nothing is blocked, and it can be left at any moment.
#pragma once

#include <QObject>
#include <QRect>
#include <QTimer>
#include <functional>
#include <vector>

class QFrame;
class QLabel;
class QPushButton;
class QWidget;

namespace klp::gui {

struct TourStep {
    struct Place {
        QWidget* widget = nullptr;
        QRect part = {};  // of it; all of it where empty
    };
    QString title, text;
    std::function<Place()> where;
    std::function<void()> begin;  // before it is shown: what `done` is compared with
    std::function<bool()> done;
};

class Tour : public QObject {
    Q_OBJECT
public:
    Tour(QWidget* window, std::vector<TourStep> steps);
    void start();
    void next();
    void stop();
    void look();                      // has it been done; where does the widget stand now. Asked ten times a second
    int step() const { return at_; }  // -1: it does not run

signals:
    void ended(bool to_the_end);

private:
    void show_step();
    void place();
    QWidget* window_;
    std::vector<TourStep> steps_;
    QWidget* ring_;
    QFrame* callout_;
    QLabel *title_, *text_, *count_;
    QPushButton* next_;
    QTimer timer_;
    int at_ = -1;
};

}  // namespace klp::gui
