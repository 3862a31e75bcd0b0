// What every lens says of itself behind its ?: what one sees, what to try, and last the formula. One convention in all of them: S is V x K, so a channel is a
// column of S and a key k reads S k.
#include "app/gui/panels/panels.h"

namespace klp::gui {

const std::vector<PanelRow>& panels() {
    static const std::vector<PanelRow> rows{
        {{"decay", QT_TRANSLATE_NOOP("klp", "Decay"), QT_TRANSLATE_NOOP("klp", "How fast each channel of the memory forgets."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Each cell is one channel of one head: a column of its state. The brighter it is, the longer it keeps what it holds. Every token sets all of "
              "them "
              "anew, so the map changes from word to word.</p><p>A half-life of the map is that of <i>one</i> token, as if its gate came again and again. "
              "<i>Half-life over what was fed</i> is that of all tokens until now together, which is usually much shorter. Neither counts what later tokens "
              "overwrite: the lens Attention does.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Click a bright cell: State and Attention go to its head. Click a token in the timeline: the map is that of its gates, and the sentence says "
              "how "
              "much of it is left. The lens <i>A fact's life</i> shows it fade, head by head.</p>"
              "<p><i>Hands</i>: make half-lives eight times as long or short, and the last question is answered again beside the answer that stands.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>At every token S ← S Diag(α), then S ← S + β (v − S k) kᵀ.</p><p>α = e<sup>g</sup>, one for each column of S. Half-life of a token: "
              "ln 2 / −g. Over n fed tokens: −n / log<sub>2</sub> ∏ α.</p>")},
         make_decay_panel},
        {{"state", QT_TRANSLATE_NOOP("klp", "State"), QT_TRANSLATE_NOOP("klp", "One head's memory: a matrix that every token rewrites a little."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>The square is the whole memory of one head. Its columns are the channels of keys, its rows those of values; colours show the sign around "
              "zero. "
              "The bars at its edges are the root mean square of a row or column. Beside it: how strong each of its directions is. Few long bars mean that few "
              "things are held apart.</p><p>Below: the size of each head's state, token by token, and how much each token wrote. Click one to go there. Or "
              "surgery: whether the state still "
              "reads under each token's key what that token wrote, and how much of a cut at the pinned one the others would hear. Or the same tokens "
              "<i>under other rules</i>: the matrix that each would have left, its norm, and what it still recalls.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Hold the state as A, say something, then choose <i>Now − A</i>: what is left is what those words wrote. Click another token to see the "
              "state as it was behind it.</p><p>Pin a fact's word, choose <i>Surgery</i> below the matrix and overwrite it with another word that was said: "
              "the last "
              "question is answered again.</p><p>Choose <i>Under other rules</i> and a head that keeps the pinned word: which rule would have lost it?</p>"
              "<p><i>Hands</i>: let a head write or read nothing, or empty it, and see what the model still knows.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>S is V × K numbers, whatever the context. S ← S Diag(α) + β (v − S Diag(α) k) kᵀ; a query reads o = S q / √K.</p><p>Effective rank: e to "
              "the entropy of the shares that the singular values have of their sum.</p><p>A cut at a key k of length 1: S ← S + (v′ − S k) kᵀ, so k reads v′ "
              "(erased: 0) and another key k<sub>j</sub> hears k<sub>j</sub> · k of the change. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)</p>"
              "<p>Other rules: α one for the head, the mean of its channels (Gated DeltaNet), or 1 (DeltaNet, linear attention); writing β v kᵀ without what "
              "is "
              "read already (GLA, linear attention). q, k, v, α and β stay those of the model.</p>")},
         make_state_panel},
        {{"memory", QT_TRANSLATE_NOOP("klp", "Memory"), QT_TRANSLATE_NOOP("klp", "Bytes this conversation holds, and what full attention would hold."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>The line of this model is nearly flat: its states are as large at the first token as at the last, and only the cache of its few MLA layers "
              "grows. "
              "Full attention begins with nothing and grows in every layer. Where the lines cross, this model begins to need less.</p>"),
          QT_TRANSLATE_NOOP("klp", "<p>Move <i>what if it were</i> to a million tokens. Choose the 48B among the shapes: no weights are needed for that.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>State and convolution tails are constant. The MLA cache grows by (r<sub>kv</sub> + d<sub>rope</sub>) values a token and MLA layer, in pages "
              "of 256 "
              "tokens. The same-shapes twin is this model with MLA in every layer; multi-head attention keeps keys and values of every head and layer. All "
              "three "
              "follow from the shapes; what is held now is counted.</p>")},
         make_memory_panel},
        {{"race", QT_TRANSLATE_NOOP("klp", "Race"), QT_TRANSLATE_NOOP("klp", "This model and its full-attention twin, in turn on the same tokens."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Both models decode the same tokens in turn, one each, at growing contexts. Above: how long a token takes. Below: what the conversation "
              "holds. A point is "
              "the median of the tokens there, its bar goes from the fastest to the slowest; what is dashed was not measured now.</p>"),
          QT_TRANSLATE_NOOP("klp", "<p>Press Start. Race to a longer context: attention reads more with every token, a state does not.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Speed is tokens over the time of their passes. The line above says which twin ran: a trained one has shapes of its own.</p><p>For "
              "comparison, the Kimi "
              "Linear report (arXiv 2510.26692) gives up to 6.3 times less time for a token at 1M tokens and up to 75 % less cache, for the 48B model on its "
              "authors' GPUs.</p>")},
         make_race_panel},
        {{"experts", QT_TRANSLATE_NOOP("klp", "Experts"), QT_TRANSLATE_NOOP("klp", "Which experts the router sent the last tokens to."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>A row is a layer, a cell is one of its experts. The brighter it is, the more of the last tokens it worked on. Dots are the picks of the "
              "chosen "
              "token.</p><p>Below: how uneven each layer is. A balanced layer lies at 1 and 0.</p>"),
          QT_TRANSLATE_NOOP("klp",
                            "<p>Click two tokens of one sentence and compare their dots. Count 32 tokens, then 512: does a favourite stay one?</p>"
                            "<p><i>Hands</i>: silence the chosen expert and see who takes its place.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Load: an expert's share of the picks over the share that all would have in balance, top-k / experts. Imbalance: the busiest expert's load "
              "over the "
              "mean, and the standard deviation over the mean.</p>")},
         make_experts_panel},
        {{"logits", QT_TRANSLATE_NOOP("klp", "Logits"), QT_TRANSLATE_NOOP("klp", "What the model could have said instead: click one to branch there."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>The tokens that were most likely in the place of the chosen one, with their probabilities. Below: how unsure the model was at each token of "
              "its answers. "
              "There is no line over a prompt, which is read and not chosen.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Click a candidate: the talk goes on from there with that word, and what was said stays as another branch. Click a peak of the line and see "
              "what it "
              "wavered between.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Softmax of the model's own logits, before temperature and cuts. Entropy in nats: e to it is the number of equal choices that would be as "
              "unsure. Spaces "
              "are shown as ·, line ends as ⏎.</p>")},
         make_logits_panel},
        {{"attention", QT_TRANSLATE_NOOP("klp", "Attention"), QT_TRANSLATE_NOOP("klp", "Which past tokens are read: by a cache, and by a state."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>One token looks back, and both kinds of memory say what of the past comes through to it. A cache keeps every token, so its bars are shares "
              "that sum to 1. "
              "A state keeps no tokens: its bars say what each of them still adds to what is read, or takes away. A hollow bar is what it would add if no "
              "later "
              "token had overwritten anything.</p><p>Bars and colours grow with the root of the weight, so that small ones are seen.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>Click a name in the answer: does the cache look at where it was told? Then choose <i>all heads</i> to find the head that does it.</p>"
              "<p><i>Hands</i>: hide the words that it looks at, and let it answer again.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>MLA: softmax weights over the cache. KDA: the delta rule unrolled, o = Σ w<sub>i</sub> v<sub>i</sub>, backwards from r = q: w = β k·r, then "
              "r ← α (r − w k); "
              "for S as V × K. It comes from feeding these tokens again while the model rests; for a state the last 2,048.</p>")},
         make_attention_panel},
        {{"life", QT_TRANSLATE_NOOP("klp", "A fact's life"), QT_TRANSLATE_NOOP("klp", "What becomes of a pinned word in every memory."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>A token writes a value under a key into the state of every head. The curves show how much of it can still be read there with its own key: on "
              "the "
              "left after the gates' decay alone, on the right after what later tokens wrote, too. Below 0 later writes speak against it.</p><p>Below: how "
              "much of what a head of a cache reads is this token's row, and how probable this token was where answers were made.</p><p><i>Who reads it</i> "
              "ranks all "
              "heads, of states and of caches, by how much of what they read at a token is this word's.</p>"),
          QT_TRANSLATE_NOOP("klp",
                            "<p>Tell a fact, pin its word with a click, then talk of something else and ask for it: the curves sink, and the probability says "
                            "whether it was still "
                            "found. Choose a head: the lens State can overwrite or erase it there.</p>"),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>A write β k v<sup>T</sup> lies in S after token t as β p v<sup>T</sup>: p ← (I − β k kᵀ) Diag(α) p with each token's own α, β and k. Decay "
              "alone: k · ∏ α k. Both: k · p. A later token reads it with β q · p (its weight of the unrolled rule). Of a cache: the softmax weight of its "
              "row.</p><p>Its share of what a head reads: of a cache that weight; of a state, whose output o is the sum of all w v, (w v · o) / |o|². Over all "
              "tokens the shares of a head add up to 1. (Schlag, Irie, Schmidhuber 2021; arXiv 2501.12352)</p>")},
         make_life_panel},
        {{"log", QT_TRANSLATE_NOOP("klp", "Log"), QT_TRANSLATE_NOOP("klp", "What happened, in order."),
          QT_TRANSLATE_NOOP("klp", "<p>Loads, prompts, answers, moves and errors, with their times.</p>"),
          QT_TRANSLATE_NOOP("klp", "<p>Choose <i>everything</i> for the details.</p>"), ""},
         make_log_panel},
        {{"map", QT_TRANSLATE_NOOP("klp", "Model map"), QT_TRANSLATE_NOOP("klp", "All layers of the model, from bottom to top."),
          QT_TRANSLATE_NOOP(
              "klp",
              "<p>A token enters below and goes up through every layer: first the mixer, where it meets the tokens before it, then the feed-forward part, "
              "where it "
              "is alone. A mixer with a state remembers in a matrix of constant size, one with a cache keeps a row of every token.</p><p>The bars say how many "
              "bytes of weights one token reads in each layer.</p>"),
          QT_TRANSLATE_NOOP("klp", "<p>Click a layer: every lens that shows one layer goes there. The keys Up and Down do the same.</p>"),
          QT_TRANSLATE_NOOP("klp",
                            "<p>All is counted from the shapes, with matrices in the type that most weights have: of the experts as many as are picked for a "
                            "token, states in f32 with the tails of their convolutions, caches in the type that they have here.</p>")},
         make_map_panel},
    };
    return rows;
}

}  // namespace klp::gui
