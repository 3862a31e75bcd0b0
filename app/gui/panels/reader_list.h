// Who reads a word: every head, ranked, with the share of what it reads that the word wrote. A click, or Enter, chooses the head in all lenses.
#pragma once

#include <QTableView>

#include "app/gui/panels/table_data.h"
#include "app/gui/session/session.h"

class QStandardItemModel;

namespace klp::gui {

class ReaderList : public QTableView {
    Q_OBJECT
public:
    ReaderList(Session& session, QWidget* parent);
    void show_readers(const Readers& readers);
    static TableData table(const Readers& readers);

protected:
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void mark();
    Session& session_;
    QStandardItemModel* rows_;
    std::vector<HeadShare> shown_;
};

}  // namespace klp::gui
