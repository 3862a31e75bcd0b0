// An experiment's findings as text: tables, CSV, JSON, picture. They know neither the model nor the device, only the figures.
#pragma once

#include "app/terminal.h"
#include "core/studies/experiment.h"

namespace klp {

// What was measured, and with what.
struct ProbeCard {
    std::string name, about, model, weights, device, date;
    std::vector<int> layers;  // with a state, for the tables of heads
    int heads = 0;
    int64_t chats = 0, of = 0;  // seen, of so many
};
std::string probe_tables(const ProbeCard& card, const Findings& found, const Canvas& canvas);
std::string probe_csv(const ProbeCard& card, const Findings& found);
std::string probe_json(const ProbeCard& card, const Findings& found);
// Every arm a row, every measure a column of points with their intervals, every condition a colour.
std::string probe_svg(const ProbeCard& card, const Findings& found);

}  // namespace klp
