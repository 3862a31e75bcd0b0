// A lens as a figure that stands alone, for a paper or a message: a margin, a title, what it is of, its sentence, its picture without boxes and buttons, its
// key. All of it is lines and text (maps: one pixel a cell), whether it ends in a PNG, an SVG, a PDF or on the clipboard.
#pragma once

#include <QByteArray>
#include <QCoreApplication>
#include <QImage>
#include <QString>
#include <vector>

#include "app/gui/draw/theme.h"
#include "app/gui/session/badge.h"

class QWidget;

namespace klp::gui {

class Key;

class Plate {
    Q_DECLARE_TR_FUNCTIONS(klp::gui::Plate)
public:
    struct Words {
        QString title;  // "Decay: half-life of the token, layer × channel"
        QString of;     // "tiny · token 12 “cat” · layer 0, head 1 · 2026-11-30 14:05"; the program's version follows
        Badge badge;
        QString sentence;
    };
    // `body` holds the picture, laid out; it and `key` must outlive the plate.
    Plate(QWidget& body, const Key& key, Words words);

    QSize size() const { return size_; }  // pixels of the screen
    void draw(QPainter& p) const;
    QImage image() const;    // twice as large
    QByteArray svg() const;  // empty where this build has no SVG
    // By the ending of its name: .png, .svg or .pdf. What went wrong, or "".
    QString write(const QString& file) const;

private:
    struct Part {
        QWidget* widget = nullptr;
        QRect place;  // in the plate
    };
    void collect(QWidget& widget);
    void stack(QPoint from);
    int text_height(const QString& text, const QFont& font) const;
    QFont title_font() const;
    int title_width() const;
    QRect badge_place() const;

    QWidget& body_;
    const Key& key_;
    Words words_;
    std::vector<Part> parts_;
    QSize size_;
    int wide_ = 0;  // inside of the margin
};

}  // namespace klp::gui
