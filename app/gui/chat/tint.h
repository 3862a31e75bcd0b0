// Words of the chat tinted by a number of their tokens: which number, what is known of it, and what its colour is.
#pragma once

#include <QColor>
#include <QObject>
#include <optional>
#include <utility>

#include "app/gui/chat/chats.h"
#include "app/gui/chat/tint_text.h"
#include "app/gui/draw/theme.h"

namespace klp::gui {

enum class Tint : uint8_t { none, surprise, update, update_of_head, left, apart };

// A tint's colour at a part 0 .. 1 of its range on a ground: so much of its hue that the theme's text stays readable on it, which is a contrast of kReadable.
inline constexpr double kReadable = 4.5;  // WCAG 2.1, 1.4.3
double contrast(const QColor& a, const QColor& b);
QColor tint_colour(Tint tint, double part, const Theme& theme, const QColor& ground);

class Tints : public QObject {
    Q_OBJECT
public:
    explicit Tints(Chats& chats, QObject* parent = nullptr);
    Tint now() const { return tint_; }
    void choose(Tint tint);

    // Of a message of the line that the model stands at; empty where nothing is tinted.
    std::vector<TintedToken> tokens(int id) const;
    // Of the answer that an answer under hands stands beside: its difference alone.
    std::vector<TintedToken> before_tokens(int id) const;
    QColor colour(double value, const Theme& theme, const QColor& ground) const { return tint_colour(tint_, value / top_, theme, ground); }
    QString said(double value) const;  // of one token: "surprise 2.1 nats (12 %)"

    QString title() const;
    QString range() const;    // what the ends of the ramp mean
    QString unknown() const;  // what has no colour, and why; "" where all have

signals:
    void changed();  // another number, or other values of it
    void grew();     // the newest answer alone

private:
    double value(int64_t position) const;
    void measure();  // the range, and what is not known
    void watch();    // what the engine must tell
    void ask();
    void drained();

    Chats& chats_;
    Session& session_;
    Tint tint_ = Tint::none;
    double top_ = 1;
    int64_t known_ = 0, all_ = 0;
    bool people_ = false;  // some of the unknown are not the model's words
    int64_t history_ = -1, size_ = 0;
    LeftPicture left_;  // without values: nothing is known
    struct Place {
        Head head;
        int64_t size = 0, history = 0;
        bool operator==(const Place&) const = default;
    };
    std::optional<Place> asked_;
    bool pending_ = false, answered_ = false, given_up_ = false;
};

}  // namespace klp::gui
