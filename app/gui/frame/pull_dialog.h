// Brings a model from the Hugging Face hub, where a person asks for it. Nothing is asked of the network before the button is pressed.
#pragma once

#include <QDialog>

#include <atomic>
#include <memory>

class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;

namespace klp::gui {

class PullDialog : public QDialog {
    Q_OBJECT
public:
    explicit PullDialog(QWidget* parent = nullptr);
    ~PullDialog() override;  // what has come is kept

signals:
    void pulled(const QString& path);  // what opens: a folder, or a GGUF file

private:
    void go();
    void ended(const QString& path, const QString& error);
    QLineEdit* what_;
    QLabel* say_;
    QProgressBar* bar_;
    QPushButton *pull_, *close_;
    std::shared_ptr<std::atomic<bool>> cancel_;
};

}  // namespace klp::gui
