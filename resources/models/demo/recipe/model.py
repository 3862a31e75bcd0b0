"""A small Kimi Linear language model in plain PyTorch, written for training.

KDA (Kimi Delta Attention, chunkwise), multi-head latent attention (NoPE, or RoPE in the twin) and a mixture of experts with a sigmoid router whose
balancing bias only steers the choice.  The arithmetic equals the `kimi_linear` class of the transformers library; check.py proves it.
Experts and convolutions are stored stacked here; `to_hf` / `from_hf` translate to the tensor names of the published checkpoints.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SHAPES = {'cpu4': (4, 8), 'mini': (8, 16)}      # layers, experts: what a CPU can train, and what wants a GPU


def config(shape='cpu4', twin=False):
    """Keys as in config.json of the published 48B model, lists of layers are 1-based.
    The twin: every mixer MLA with RoPE, which a model this small cannot recall without, and a head more, so that it has as many weights."""
    layers, experts = SHAPES[shape]
    heads = 5 if twin else 4
    full = [i for i in range(1, layers + 1) if twin or i % 4 == 0]
    return {
        'vocab_size': 4096, 'hidden_size': 256, 'num_hidden_layers': layers,
        'num_attention_heads': heads, 'num_key_value_heads': heads,
        'qk_nope_head_dim': 64, 'qk_rope_head_dim': 32, 'v_head_dim': 64, 'kv_lora_rank': 96 if twin else 64, 'q_lora_rank': None, 'mla_use_nope': not twin,
        'intermediate_size': 512, 'moe_intermediate_size': 128, 'first_k_dense_replace': 1, 'moe_layer_freq': 1,
        'num_experts': experts, 'num_experts_per_token': 2, 'num_shared_experts': 1, 'routed_scaling_factor': 1.5,
        'moe_router_activation_func': 'sigmoid', 'moe_renormalize': True, 'use_grouped_topk': True, 'num_expert_group': 1, 'topk_group': 1,
        'linear_attn_config': {'head_dim': 64, 'num_heads': 4, 'short_conv_kernel_size': 4,
                               'kda_layers': [i for i in range(1, layers + 1) if i not in full], 'full_attn_layers': full},
        'rms_norm_eps': 1e-5, 'hidden_act': 'silu', 'tie_word_embeddings': False, 'rope_theta': 10000.0,
    }


LATENT_EPS = 1e-6       # the vendor's code and transformers leave kv_a_layernorm at the class default


def rms(x, w, eps):
    y = x.float()
    return w * (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype)


# ------------------------------------------------------------------ Kimi Delta Attention

def kda_recurrent(q, k, v, g, beta, S=None):
    """The definition, token by token: S <- (I - beta k k^T) diag(exp g) S + beta k v^T, o = S^T q.
    q, k, g [B,T,H,K], v [B,T,H,V], beta [B,T,H]; q already scaled."""
    B, T, H, K = q.shape
    S = q.new_zeros(B, H, K, v.shape[-1]) if S is None else S
    out = []
    for t in range(T):
        S = S * g[:, t].exp()[..., None]
        u = beta[:, t, :, None] * (v[:, t] - torch.einsum('bhk,bhkv->bhv', k[:, t], S))
        S = S + k[:, t, :, :, None] * u[:, :, None]
        out.append(torch.einsum('bhk,bhkv->bhv', q[:, t], S))
    return torch.stack(out, 1), S


def decayed_products(q, k, G):
    """Lower triangles of q_i . (k_j exp(G_i - G_j)) with diagonal, and of k_i . (k_j exp(G_i - G_j)) without.
    [..., C, K] each, C a power of two.  Recursive halving: the rows of an upper half meet the columns of its lower half, and both are
    decayed relative to the first row of the upper half.  No exponent is ever positive, so no gate needs a clamp."""
    C, K = k.shape[-2:]
    lead = k.shape[:-2]
    qk = (q * k).sum(-1)[..., None, None]                              # blocks of size 1: [..., C, 1, 1]
    kk = torch.zeros_like(qk)
    h = 1
    while h < C:
        n = C // (2 * h)
        Gb, qb, kb = (x.reshape(*lead, n, 2, h, K) for x in (G, q, k))
        ref = Gb[..., 1, :1, :]
        hi = (Gb[..., 1, :, :] - ref).exp()
        lo = kb[..., 0, :, :] * (ref - Gb[..., 0, :, :]).exp()
        rows = torch.cat([qb[..., 1, :, :] * hi, kb[..., 1, :, :] * hi], -2)
        x = (rows * lo).sum(-1, keepdim=True) if h == 1 else rows @ lo.transpose(-1, -2)
        qk, kk = (torch.cat([F.pad(d[..., 0::2, :, :], (0, h)), torch.cat([y, d[..., 1::2, :, :]], -1)], -2)
                  for d, y in ((qk, x[..., :h, :]), (kk, x[..., h:, :])))
        h *= 2
    return qk.squeeze(-3), kk.squeeze(-3)


def kda_chunk(q, k, v, g, beta, C=32):
    """The same as kda_recurrent from a zero state, chunkwise; returns the outputs [B,T,H,V]."""
    B, T, H, K = q.shape
    V = v.shape[-1]
    pad = -T % C
    if pad:
        q, k, v, g = (F.pad(x, (0, 0, 0, 0, 0, pad)) for x in (q, k, v, g))
        beta = F.pad(beta, (0, 0, 0, pad))
    N = (T + pad) // C
    q, k, v, g, beta = (x.reshape(B, N, C, H, -1).permute(1, 0, 3, 2, 4).reshape(N, B * H, C, -1) for x in (q, k, v, g, beta))
    G = g.cumsum(2)
    qk, kk = decayed_products(q, k, G)
    eG = G.exp()
    eye = torch.eye(C, dtype=q.dtype, device=q.device)
    X = torch.linalg.solve_triangular(kk * beta + eye, torch.cat([v, k * eG], -1) * beta, upper=False, unitriangular=True)
    U, W = X.split([V, K], -1)
    if N == 1:
        o = (qk @ U)[None, 0]
        return o.reshape(N, B, H, C, V).permute(1, 0, 3, 2, 4).reshape(B, T + pad, H, V)[:, :T]
    last = G[:, :, -1:]
    kd = (k * (last - G).exp()).transpose(-1, -2)
    WQ = torch.cat([W, q * eG], 2)                                     # both meet the state
    dec = last.exp().transpose(-1, -2)
    S, out = None, []
    for n in range(N):
        if S is None:
            d = U[n]
            out.append(qk[n] @ d)
            S = kd[n] @ d
        else:
            y = WQ[n] @ S
            d = U[n] - y[:, :C]
            out.append(torch.baddbmm(y[:, C:], qk[n], d))
            if n + 1 < N:
                S = torch.baddbmm(S * dec[n], kd[n], d)
    o = torch.stack(out, 0)
    return o.reshape(N, B, H, C, V).permute(1, 0, 3, 2, 4).reshape(B, T + pad, H, V)[:, :T]


def short_conv(x, w):
    """Causal depthwise convolution of width 4 and SiLU; w[:, 3] meets the current token."""
    T = x.shape[1]
    x = F.pad(x, (0, 0, 3, 0))
    y = x[:, 3:] * w[:, 3]
    for i in range(3):
        y = y + x[:, i:i + T] * w[:, i]
    return F.silu(y)


SANE = 8        # nats a token; what decays faster is forgotten at once anyway


def kda_core(qkv, f, b, z, conv, A_log, dt_bias, o_norm, eps):
    """From the projections of x to the input of o_proj, all in float32; and how far the gates go beyond what is sane, on average."""
    B, T, _ = qkv.shape
    H, K = len(A_log), len(o_norm)
    q, k, v = short_conv(qkv.float(), conv).view(B, T, 3, H, K).unbind(2)
    q = q * (torch.rsqrt(q.pow(2).sum(-1, keepdim=True) + 1e-6) * K ** -.5)
    k = k * torch.rsqrt(k.pow(2).sum(-1, keepdim=True) + 1e-6)
    g = -A_log.exp()[:, None] * F.softplus(f.float() + dt_bias).view(B, T, H, K)
    o = kda_chunk(q, k, v, g, b.float().sigmoid())
    o = o * torch.rsqrt(o.pow(2).mean(-1, keepdim=True) + eps) * o_norm
    return (o * z.float().view(B, T, H, K).sigmoid()).reshape(B, T, H * K), F.relu(-g - SANE).mean()


class KDA(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, a = c['hidden_size'], c['linear_attn_config']
        self.H, self.K = H, K = a['num_heads'], a['head_dim']
        P = H * K
        self.eps = c['rms_norm_eps']
        self.qkv = nn.Parameter(torch.empty(3, P, d))
        self.conv = nn.Parameter(torch.empty(3 * P, a['short_conv_kernel_size']))
        self.fgb = nn.Parameter(torch.empty(2 * K + H, d))             # f_a, g_a, b: everything else that reads x
        self.f_b = nn.Parameter(torch.empty(P, K))
        self.g_b = nn.Parameter(torch.empty(P, K))
        self.A_log = nn.Parameter(torch.empty(H).uniform_(1, 16).log())
        dt = torch.exp(torch.empty(P).uniform_(math.log(1e-3), math.log(1e-1))).clamp(min=1e-4)
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.o_norm = nn.Parameter(torch.ones(K))
        self.o_proj = nn.Parameter(torch.empty(d, P))

    def forward(self, x):
        K, H = self.K, self.H
        y = F.linear(x, torch.cat([self.qkv.flatten(0, 1), self.fgb]))
        qkv, fa, ga, b = y.split([3 * H * K, K, K, H], -1)
        f, z = F.linear(fa, self.f_b), F.linear(ga, self.g_b)
        with torch.autocast(x.device.type, enabled=False):
            y, excess = kda_core(qkv, f, b, z, self.conv, self.A_log, self.dt_bias, self.o_norm, self.eps)
        return F.linear(y, self.o_proj), excess


# ------------------------------------------------------------------ latent attention

def rotate(x, theta):
    """RoPE, columns paired by halves (i, i + n/2); x [..., T, n]."""
    T, n = x.shape[-2:]
    turn = torch.arange(T, device=x.device)[:, None] * theta ** (-torch.arange(0, n, 2, device=x.device) / n)
    a, b = x.float().chunk(2, -1)
    return torch.cat([a * turn.cos() - b * turn.sin(), b * turn.cos() + a * turn.sin()], -1).to(x.dtype)


class MLA(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c['hidden_size']
        self.h, self.n, self.r, self.v = c['num_attention_heads'], c['qk_nope_head_dim'], c['qk_rope_head_dim'], c['v_head_dim']
        self.rank, self.theta = c['kv_lora_rank'], 0. if c['mla_use_nope'] else c['rope_theta']
        self.q_proj = nn.Parameter(torch.empty(self.h * (self.n + self.r), d))
        self.kv_a = nn.Parameter(torch.empty(self.rank + self.r, d))
        self.kv_norm = nn.Parameter(torch.ones(self.rank))
        self.kv_b = nn.Parameter(torch.empty(self.h * (self.n + self.v), self.rank))
        self.o_proj = nn.Parameter(torch.empty(d, self.h * self.v))

    def forward(self, x):
        B, T, _ = x.shape
        q = F.linear(x, self.q_proj).view(B, T, self.h, -1).transpose(1, 2)
        c, kr = F.linear(x, self.kv_a).split([self.rank, self.r], -1)
        kv = F.linear(rms(c, self.kv_norm, LATENT_EPS), self.kv_b).view(B, T, self.h, -1).transpose(1, 2)
        k, v = kv.split([self.n, self.v], -1)
        if self.theta:
            q = torch.cat([q[..., :self.n], rotate(q[..., self.n:], self.theta)], -1)
            kr = rotate(kr, self.theta)
        if self.r:                                                     # shared by all heads
            k = torch.cat([k, kr[:, None].expand(-1, self.h, -1, -1)], -1)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return F.linear(o.transpose(1, 2).reshape(B, T, -1), self.o_proj), 0.


# ------------------------------------------------------------------ feed-forward

def swiglu(x, gate_up, down):
    a, b = F.linear(x, gate_up).chunk(2, -1)
    return F.linear(F.silu(a) * b, down)


class MLP(nn.Module):
    def __init__(self, c, ff):
        super().__init__()
        self.gate_up = nn.Parameter(torch.empty(2 * ff, c['hidden_size']))
        self.down = nn.Parameter(torch.empty(c['hidden_size'], ff))

    def forward(self, x):
        return swiglu(x, self.gate_up, self.down)


class MoE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.E, self.top, self.scale = c['num_experts'], c['num_experts_per_token'], c['routed_scaling_factor']
        d, ff = c['hidden_size'], c['moe_intermediate_size']
        self.gate = nn.Parameter(torch.empty(self.E, d))
        self.register_buffer('bias', torch.zeros(self.E))              # e_score_correction_bias
        self.register_buffer('load', torch.zeros(self.E), persistent=False)
        self.gate_up = nn.Parameter(torch.empty(self.E, 2 * ff, d))
        self.down = nn.Parameter(torch.empty(self.E, d, ff))
        self.shared = MLP(c, ff * c['num_shared_experts'])

    def forward(self, x):
        flat = x.flatten(0, -2)
        with torch.autocast(x.device.type, enabled=False):
            s = F.linear(flat.float(), self.gate.float()).sigmoid()
        idx = (s + self.bias).topk(self.top, -1).indices
        w = s.gather(-1, idx)
        w = w / (w.sum(-1, keepdim=True) + 1e-20) * self.scale
        return (self.all if x.is_cuda else self.chosen)(flat, idx, w).view(x.shape) + self.shared(x)

    @torch.compiler.disable
    def chosen(self, x, idx, w):
        """Each expert on its own tokens: the least work."""
        flat = idx.flatten()
        order = flat.argsort(stable=True)
        count = torch.bincount(flat, minlength=self.E)
        if self.training:
            self.load += count
        token = order // self.top
        parts = x.index_select(0, token).split(count.tolist())
        y = torch.cat([swiglu(p, u, d) for p, u, d in zip(parts, self.gate_up, self.down)])
        y = y * w.flatten()[order, None].to(y.dtype)
        return torch.zeros(x.shape, dtype=y.dtype, device=x.device).index_add(0, token, y)

    def all(self, x, idx, w):
        """Every expert on every token, those not chosen with weight 0: more work, but no product waits for a count, which is what a GPU wants of experts this small."""
        if self.training:
            self.load += F.one_hot(idx, self.E).sum((0, 1))
        w = torch.zeros(len(x), self.E, device=x.device).scatter(1, idx, w)
        a, b = torch.einsum('nd,efd->nef', x, self.gate_up).chunk(2, -1)
        return torch.einsum('nef,edf->nd', F.silu(a) * b * w[..., None].to(a.dtype), self.down)

    @torch.no_grad()
    def balance(self, rate):
        """One nudge of the bias towards equal load; returns the busiest expert's load over the mean."""
        load = self.load / self.load.mean().clamp(min=1)
        self.bias += rate * (1 - load).sign()
        self.bias -= self.bias.mean()
        self.load.zero_()
        return float(load.max())


class Block(nn.Module):
    def __init__(self, c, i):
        super().__init__()
        self.eps = c['rms_norm_eps']
        self.attn = MLA(c) if i + 1 in c['linear_attn_config']['full_attn_layers'] else KDA(c)
        self.ffn = MLP(c, c['intermediate_size']) if i < c['first_k_dense_replace'] else MoE(c)
        self.norm1 = nn.Parameter(torch.ones(c['hidden_size']))
        self.norm2 = nn.Parameter(torch.ones(c['hidden_size']))

    def forward(self, x):
        y, excess = self.attn(rms(x, self.norm1, self.eps))
        x = x + y
        return x + self.ffn(rms(x, self.norm2, self.eps)), excess


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed = nn.Parameter(torch.empty(c['vocab_size'], c['hidden_size']))
        self.blocks = nn.ModuleList(Block(c, i) for i in range(c['num_hidden_layers']))
        self.norm = nn.Parameter(torch.ones(c['hidden_size']))
        self.head = nn.Parameter(torch.empty(c['vocab_size'], c['hidden_size']))
        out = (2 * c['num_hidden_layers']) ** -.5
        for name, p in self.named_parameters():        # one over the root of the fan-in: 0.02 is far too small for narrow layers
            leaf = name.split('.')[-1]
            if p.dim() > 1:
                std = {'embed': .1, 'head': .5 * p.shape[-1] ** -.5, 'conv': .5, 'gate': .02}.get(leaf, p.shape[-1] ** -.5)
                nn.init.normal_(p, std=std * (out if leaf in ('o_proj', 'down') else 1))

    def hidden(self, ids):
        """What the head reads, and the gates' excess."""
        x, excess = F.embedding(ids, self.embed), 0.
        for b in self.blocks:
            x, e = b(x)
            excess = excess + e
        return rms(x, self.norm, self.c['rms_norm_eps']), excess

    def forward(self, ids):
        return F.linear(self.hidden(ids)[0], self.head)

    def loss(self, ids, labels):
        """Mean cross entropy where labels >= 0, and the gates' excess; logits are formed only there."""
        labels = labels.flatten()
        keep = (labels >= 0).nonzero()[:, 0]
        x, excess = self.hidden(ids)
        x = x.flatten(0, 1).index_select(0, keep)
        return F.cross_entropy(F.linear(x, self.head).float(), labels[keep]), excess

    def moes(self):
        return [b.ffn for b in self.blocks if isinstance(b.ffn, MoE)]

    def size(self):
        """All weights, and the ones a token meets (head included, embedding not)."""
        total = sum(p.numel() for p in self.parameters())
        idle = sum(m.gate_up[m.top:].numel() + m.down[m.top:].numel() for m in self.moes())
        return total, total - idle - self.embed.numel()


# ------------------------------------------------------------------ published tensor names

def to_hf(m):
    """State of a Model -> {published name: tensor}, float32."""
    c, out = m.c, {}
    H, K = c['linear_attn_config']['num_heads'], c['linear_attn_config']['head_dim']
    s = {k: v.detach().float().cpu() for k, v in m.state_dict().items()}
    out['model.embed_tokens.weight'], out['model.norm.weight'], out['lm_head.weight'] = s['embed'], s['norm'], s['head']
    for i, b in enumerate(m.blocks):
        p, q = 'model.layers.%d.' % i, 'blocks.%d.' % i
        out[p + 'input_layernorm.weight'], out[p + 'post_attention_layernorm.weight'] = s[q + 'norm1'], s[q + 'norm2']
        a, t = p + 'self_attn.', q + 'attn.'
        out[a + 'o_proj.weight'] = s[t + 'o_proj']
        if isinstance(b.attn, KDA):
            for j, n in enumerate('qkv'):
                out[a + n + '_proj.weight'] = s[t + 'qkv'][j]
                out[a + n + '_conv1d.weight'] = s[t + 'conv'].chunk(3)[j][:, None]
            out[a + 'f_a_proj.weight'], out[a + 'g_a_proj.weight'], out[a + 'b_proj.weight'] = s[t + 'fgb'].split([K, K, H])
            out[a + 'f_b_proj.weight'], out[a + 'g_b_proj.weight'] = s[t + 'f_b'], s[t + 'g_b']
            out[a + 'A_log'], out[a + 'dt_bias'] = s[t + 'A_log'].view(1, 1, H, 1), s[t + 'dt_bias']
            out[a + 'o_norm.weight'] = s[t + 'o_norm']
        else:
            for n, o in (('q_proj', 'q_proj'), ('kv_a', 'kv_a_proj_with_mqa'), ('kv_norm', 'kv_a_layernorm'), ('kv_b', 'kv_b_proj')):
                out[a + o + '.weight'] = s[t + n]

        def mlp(gate_up, down, to):
            out[to + 'gate_proj.weight'], out[to + 'up_proj.weight'] = gate_up.chunk(2)
            out[to + 'down_proj.weight'] = down
        t = q + 'ffn.'
        if isinstance(b.ffn, MoE):
            e = p + 'block_sparse_moe.'
            out[e + 'gate.weight'], out[e + 'gate.e_score_correction_bias'] = s[t + 'gate'], s[t + 'bias']
            for j in range(c['num_experts']):
                out[e + 'experts.%d.w1.weight' % j], out[e + 'experts.%d.w3.weight' % j] = s[t + 'gate_up'][j].chunk(2)
                out[e + 'experts.%d.w2.weight' % j] = s[t + 'down'][j]
            mlp(s[t + 'shared.gate_up'], s[t + 'shared.down'], e + 'shared_experts.')
        else:
            mlp(s[t + 'gate_up'], s[t + 'down'], p + 'mlp.')
    return {k: v.contiguous() for k, v in out.items()}


def from_hf(m, t):
    """{published name: tensor} into a Model."""
    t = {k: v.float() for k, v in t.items()}
    s = {'embed': t['model.embed_tokens.weight'], 'norm': t['model.norm.weight'], 'head': t['lm_head.weight']}
    for i, b in enumerate(m.blocks):
        p, q = 'model.layers.%d.' % i, 'blocks.%d.' % i
        s[q + 'norm1'], s[q + 'norm2'] = t[p + 'input_layernorm.weight'], t[p + 'post_attention_layernorm.weight']
        a, d = p + 'self_attn.', q + 'attn.'
        s[d + 'o_proj'] = t[a + 'o_proj.weight']
        if isinstance(b.attn, KDA):
            s[d + 'qkv'] = torch.stack([t[a + n + '_proj.weight'] for n in 'qkv'])
            s[d + 'conv'] = torch.cat([t[a + n + '_conv1d.weight'][:, 0] for n in 'qkv'])
            s[d + 'fgb'] = torch.cat([t[a + n + '_proj.weight'] for n in ('f_a', 'g_a', 'b')])
            s[d + 'f_b'], s[d + 'g_b'] = t[a + 'f_b_proj.weight'], t[a + 'g_b_proj.weight']
            s[d + 'A_log'], s[d + 'dt_bias'], s[d + 'o_norm'] = t[a + 'A_log'].flatten(), t[a + 'dt_bias'], t[a + 'o_norm.weight']
        else:
            for n, o in (('q_proj', 'q_proj'), ('kv_a', 'kv_a_proj_with_mqa'), ('kv_norm', 'kv_a_layernorm'), ('kv_b', 'kv_b_proj')):
                s[d + n] = t[a + o + '.weight']
        mlp = lambda f: (torch.cat([t[f + 'gate_proj.weight'], t[f + 'up_proj.weight']]), t[f + 'down_proj.weight'])
        d = q + 'ffn.'
        if isinstance(b.ffn, MoE):
            e = p + 'block_sparse_moe.'
            s[d + 'gate'], s[d + 'bias'] = t[e + 'gate.weight'], t[e + 'gate.e_score_correction_bias']
            x = e + 'experts.%d.'
            n = range(m.c['num_experts'])
            s[d + 'gate_up'] = torch.stack([torch.cat([t[x % j + 'w1.weight'], t[x % j + 'w3.weight']]) for j in n])
            s[d + 'down'] = torch.stack([t[x % j + 'w2.weight'] for j in n])
            s[d + 'shared.gate_up'], s[d + 'shared.down'] = mlp(e + 'shared_experts.')
        else:
            s[d + 'gate_up'], s[d + 'down'] = mlp(p + 'mlp.')
    m.load_state_dict(s)
    return m
