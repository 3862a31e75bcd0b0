// An engine elsewhere in the place of a model here: that of a klp serve, whose inside is seen, or a server of OpenAI's API. The key itself is read from the
// environment; it is in no field and in no file.
#pragma once

#include <QDialog>

#include <atomic>
#include <functional>
#include <memory>

#include "core/runs/run.h"

class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QPushButton;

namespace klp::gui {

class ServedDialog : public QDialog {
    Q_OBJECT
public:
    explicit ServedDialog(QWidget* parent = nullptr);
    ~ServedDialog() override;
    std::function<void(std::unique_ptr<Run>)> on_open;  // the server has answered
    void ask(const QString& at, const QString& ssh);    // the engine of a klp serve, at once; what goes wrong is said here

private:
    bool api() const;  // and no engine
    void show_kind();
    void go();
    void ask_api();
    void ask_engine();
    void begin_asking(const QString& what);
    bool end_asking(const std::string& trouble);  // false: there was some, and it is said
    QComboBox* kind_;
    QFormLayout* form_;
    QLabel* about_;
    QLineEdit *at_, *ssh_, *url_, *model_, *key_, *shape_;
    QLabel* say_;
    QPushButton *open_, *close_;
    std::shared_ptr<std::atomic<bool>> cancel_;
};

}  // namespace klp::gui
