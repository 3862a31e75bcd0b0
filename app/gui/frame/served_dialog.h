// A server of OpenAI's API in the place of a model here: its address, which of its models, and where its key is. The key itself is read from the environment;
// it is in no field and in no file.
#pragma once

#include <QDialog>

#include <atomic>
#include <functional>
#include <memory>

#include "core/runs/run.h"

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

private:
    void go();
    QLineEdit *url_, *model_, *key_, *shape_;
    QLabel* say_;
    QPushButton *open_, *close_;
    std::shared_ptr<std::atomic<bool>> cancel_;
};

}  // namespace klp::gui
