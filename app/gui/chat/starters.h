// What an empty chat offers once a model is loaded: short conversations that show something, each with where to look meanwhile.
#pragma once

#include <QAbstractButton>
#include <QWidget>
#include <vector>

#include "app/gui/chat/chats.h"
#include "core/text/prompts.h"

class QGridLayout;
class QLabel;

namespace klp::gui {

class StarterButton : public QAbstractButton {
    Q_OBJECT
public:
    StarterButton(const Starter& starter, QWidget* parent);
    const QString& lens() const { return lens_; }
    QSize sizeHint() const override;
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override;

protected:
    void paintEvent(QPaintEvent* event) override;
    void enterEvent(QEnterEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QString watch_, lens_;
};

class Starters : public QWidget {
    Q_OBJECT
public:
    Starters(Chats& chats, std::vector<Starter> starters, QWidget* parent = nullptr);
    void begin(size_t number);

signals:
    void lens_asked(const QString& id);

private:
    void pin();
    void offer();
    Chats& chats_;
    std::vector<Starter> starters_;
    std::vector<StarterButton*> buttons_;
    QGridLayout* grid_ = nullptr;
    QLabel *head_ = nullptr, *about_ = nullptr;
    const Starter* begun_ = nullptr;  // and what is looked at follows it
    const Chat* talk_ = nullptr;
};

}  // namespace klp::gui
